#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# One task at a time copies to and from a CMB, and serves what others have left meanwhile.
# Nobody may have to wait for it when it is not running: it has a low priority, say, and
# another program keeps its CPU busy. Here that leaves it none at all.
#
# config: cmb

load lib.bash

readonly SECONDS_EACH=3

setup_file() {
	load_driver
}

# start NAME COMMAND...: beside the test.
start() {
	"${@:2}" >"$BATS_TEST_TMPDIR/$1" 3>&- &
	background[$1]=$!
}

stop() { # NAME
	kill "${background[$1]}"
	wait "${background[$1]}" || true
	unset "background[$1]"
}

# fio_on CPU RW BS SECONDS [OPTION...]: without a file of its own.
fio_on() {
	fio --name=fio --filename="$DISK" --allow_file_create=0 --cpus_allowed="$1" --rw="$2" \
		--bs="$3" --direct=1 --ioengine=psync --time_based --runtime="$4" "${@:5}"
}

# reads SECONDS: how many a reader makes on the CPU that is free, and the longest in ms.
reads() {
	local out=$BATS_TEST_TMPDIR/out.json
	fio_on 1 randread 4k "$1" --output-format=json --output="$out"
	jq -r '.jobs[0].read | "\(.total_ios) \(.clat_ns.max / 1000000 | ceil)"' "$out"
}

# start_writer: of requests that are four times what the disk takes at once.
start_writer() {
	start writer fio --name=writer --filename="$DISK" --allow_file_create=0 \
		--cpus_allowed=0 --rw=randwrite --bs=4m --direct=1 --ioengine=psync \
		--thread --time_based --runtime=300
	wait_for_io "$DISK_NAME"
}

# Real-time tasks may take all of their CPU. Newer kernels keep some for the others.
no_cpu_for_others() {
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	if [ -e /sys/kernel/debug/sched/fair_server ]; then
		echo 0 >/sys/kernel/debug/sched/fair_server/cpu0/runtime
	fi
}

@test "a reader is no slower beside a writer that does not run at all" {
	local before count wait
	no_cpu_for_others
	start_writer
	read -r before wait < <(reads $SECONDS_EACH)
	note "$before reads, the longest in $wait ms, beside a writer that runs"
	for _ in 1 2 3; do
		start hog timeout $((SECONDS_EACH + 1)) \
			chrt --fifo 50 taskset -c 0 bash -c 'while :; do :; done'
		read -r count wait < <(reads $SECONDS_EACH)
		note "$count reads, the longest in $wait ms, while it does not"
		echo "$count" >>"$BATS_TEST_TMPDIR/counts"
		wait "${background[hog]}" || true
		unset "background[hog]"
	done
	stop writer
	[ "$(sort -n "$BATS_TEST_TMPDIR/counts" | sed -n 2p)" -ge "$before" ]
}
