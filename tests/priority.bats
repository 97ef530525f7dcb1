#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# One task at a time copies to and from a CMB, and serves the requests of other tasks meanwhile. If
# that task gets no CPU time, because it has a low priority for example, others must not have to
# wait for it. In this test a real-time task takes all of its CPU.
#
# config: cmb

load lib.bash

readonly SECONDS_EACH=3

setup_file() {
	load_driver
}

# start NAME COMMAND...: run COMMAND in the background.
start() {
	"${@:2}" >"$BATS_TEST_TMPDIR/$1" 3>&- &
	background[$1]=$!
}

stop() { # NAME
	kill "${background[$1]}"
	wait "${background[$1]}" || true
	unset "background[$1]"
}

# fio_on CPU RW BS SECONDS [OPTION...]: run fio on the disk and on that CPU.
fio_on() {
	fio --name=fio --filename="$DISK" --allow_file_create=0 --cpus_allowed="$1" --rw="$2" \
		--bs="$3" --direct=1 --ioengine=psync --time_based --runtime="$4" "${@:5}"
}

# reads SECONDS: let fio read on the other CPU. Print how many reads there were, and how many ms
# the longest took.
reads() {
	local out=$BATS_TEST_TMPDIR/out.json
	fio_on 1 randread 4k "$1" --output-format=json --output="$out"
	jq -r '.jobs[0].read | "\(.total_ios) \(.clat_ns.max / 1000000 | ceil)"' "$out"
}

# start_writer: start a writer on CPU 0. Its requests are four times the limit for one request.
start_writer() {
	start writer fio --name=writer --filename="$DISK" --allow_file_create=0 \
		--cpus_allowed=0 --rw=randwrite --bs=4m --direct=1 --ioengine=psync \
		--thread --time_based --runtime=300
	wait_for_io "$DISK_NAME"
}

# no_cpu_for_others: let real-time tasks take all of the CPU. By default Linux reserves some time
# for the others, and newer kernels have a fair server for that.
no_cpu_for_others() {
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	if [ -e /sys/kernel/debug/sched/fair_server ]; then
		echo 0 >/sys/kernel/debug/sched/fair_server/cpu0/runtime
	fi
}

@test "a reader is not slower while a writer gets no CPU time" {
	local before count wait
	no_cpu_for_others
	start_writer
	read -r before wait < <(reads $SECONDS_EACH)
	note "$before reads, the longest in $wait ms, while the writer runs"
	for _ in 1 2 3; do
		start hog timeout $((SECONDS_EACH + 1)) \
			chrt --fifo 50 taskset -c 0 bash -c 'while :; do :; done'
		read -r count wait < <(reads $SECONDS_EACH)
		note "$count reads, the longest in $wait ms, while the writer gets no CPU time"
		echo "$count" >>"$BATS_TEST_TMPDIR/counts"
		wait "${background[hog]}" || true
		unset "background[hog]"
	done
	stop writer
	[ "$(sort -n "$BATS_TEST_TMPDIR/counts" | sed -n 2p)" -ge "$before" ]
}
