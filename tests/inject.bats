#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The driver's fault attributes in debugfs. A fault fails, delays or requeues a request as
# configured, and never changes other data.
#
# config: cmb pmr
# kernels: 6.12-debug
# guest: shared

load lib.bash

FAULTS=/sys/kernel/debug/nvme_cmb/$DISK_NAME

# The content of the blocks before a fault, and the content that is written under faults
readonly OLD_BYTE=17 NEW_BYTE=34
# The number of times a fault happens, and its probability in percent
readonly FEW=7 MANY=200 MANY_PERCENT=10
# More times than any test uses up
readonly UNLIMITED=1000000

setup_file() {
	load_driver
	# Only the tests make requests: udev does not open a disk that is locked.
	exec 9<"$DISK"
	flock 9
}

# arm FAULT TIMES PROBABILITY: enable FAULT, and disable the others.
arm() {
	local fault
	for fault in "$FAULTS"/{fail,delay,requeue}; do
		[ -d "$fault" ] || continue # a PMR's disk has no queue
		echo 0 >"$fault/probability"
		echo 0 >"$fault/verbose"
	done
	echo "$2" >"$FAULTS/$1/times"
	echo "$3" >"$FAULTS/$1/probability"
}

# happened FAULT TIMES: print how many of TIMES are used up.
happened() {
	echo $(($2 - $(<"$FAULTS/$1/times")))
}

# fill BYTE: fill the disk with BYTE.
fill() {
	tr '\0' "\\$(printf %o "$1")" </dev/zero |
		dd of="$DISK" bs=1M count=$((DISK_SIZE / MIB)) iflag=fullblock oflag=direct \
			status=none
}

# blocks_of BYTE: print how many blocks hold BYTE and nothing else.
blocks_of() {
	dd if="$DISK" bs=1M iflag=direct status=none | perl -e '
		$wanted = chr(shift) x 4096;
		while (read STDIN, $block, 4096) { $n++ if $block eq $wanted }
		print $n + 0' "$1"
}

# errors RW [OPTION...]: let fio access each block of the disk, with four jobs. Print how many
# requests failed, or nothing if one failed with another error than EIO.
errors() {
	local out=$BATS_TEST_TMPDIR/out.json
	fio --name=errors --filename="$DISK" --allow_file_create=0 --rw="$1" --bs=4k \
		--direct=1 --ioengine=psync --numjobs=4 --size=4M --offset_increment=4M \
		--continue_on_error=io --output-format=json --output="$out" \
		"${@:2}" >&2 || true
	jq '.jobs | if all(.first_error == 0 or .first_error == 5)
		then map(.total_err) | add else empty end' "$out"
}

@test "a read fails as often as asked, and no more" {
	local i
	fill $OLD_BYTE
	arm fail $FEW 100
	for ((i = 1; i <= FEW; i++)); do
		fails dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct |
			grep "Input/output error"
	done
	dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct status=none
	[ "$(happened fail $FEW)" -eq $FEW ]
	[ "$(blocks_of $OLD_BYTE)" -eq "$DISK_BLOCKS" ]
}

@test "a write that fails does not change the data" {
	local i
	fill $OLD_BYTE
	arm fail $FEW 100
	for ((i = 1; i <= FEW; i++)); do
		fails dd if=/dev/zero of="$DISK" bs=4k seek="$i" count=1 oflag=direct |
			grep "Input/output error"
	done
	[ "$(blocks_of $OLD_BYTE)" -eq "$DISK_BLOCKS" ]
	dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct status=none
	[ "$(blocks_of $OLD_BYTE)" -eq $((DISK_BLOCKS - 1)) ]
}

@test "a discard or a write of zeros that fails does not change the data" {
	fill $OLD_BYTE
	arm fail 2 100
	# Without --force blkdiscard would read first, and the read would fail.
	fails blkdiscard --force --length 65536 "$DISK"
	fails blkdiscard --force --zeroout --length 65536 "$DISK"
	[ "$(happened fail 2)" -eq 2 ]
	[ "$(blocks_of $OLD_BYTE)" -eq "$DISK_BLOCKS" ]
}

# fails_whole COMMAND...: the request fails if one piece of it does.
fails_whole() {
	arm fail 1 100
	fails "$@" | grep -E "Input/output error|Remote I/O error"
	[ "$(happened fail 1)" -eq 1 ]
}

# The limit for one request is 1 MiB, or what a command of the controller can move, also for discards
# and writes of zeros. Larger ones are split.
@test "a request of any size fails if one piece of it does" {
	local kib max=$MIB
	[ "$KIND" = pmr ] || max=$((MIB / 2)) # QEMU's default MDTS
	[ "$(<"/sys/block/$DISK_NAME/queue/max_hw_sectors_kb")" -eq $((max / 1024)) ]
	[ "$(<"/sys/block/$DISK_NAME/queue/discard_max_bytes")" -eq "$max" ]
	[ "$(<"/sys/block/$DISK_NAME/queue/write_zeroes_max_bytes")" -eq "$max" ]
	for kib in 4 1024 1028 8192; do
		fill $OLD_BYTE
		fails_whole dd if="$DISK" of=/dev/null bs=${kib}k count=1 iflag=direct
		fails_whole dd if=/dev/zero of="$DISK" bs=${kib}k count=1 oflag=direct
		fails_whole blkdiscard --force --length $((kib * 1024)) "$DISK"
		fails_whole blkdiscard --force --zeroout --length $((kib * 1024)) "$DISK"
		# The fault is used up, so the same request succeeds.
		blkdiscard --force --length $((kib * 1024)) "$DISK"
		[ "$(blocks_of $OLD_BYTE)" -eq $((DISK_BLOCKS - kib / 4)) ]
	done
}

@test "one in ten reads fails, and the data does not change" {
	fill $OLD_BYTE
	arm fail $MANY $MANY_PERCENT
	[ "$(errors randread)" -eq $MANY ]
	[ "$(blocks_of $OLD_BYTE)" -eq "$DISK_BLOCKS" ]
	echo "# $MANY of $DISK_BLOCKS reads failed" >&3
}

@test "one in ten writes fails: each block holds its old data or its new data" {
	fill $OLD_BYTE
	arm fail $MANY $MANY_PERCENT
	[ "$(errors write --buffer_pattern=$NEW_BYTE)" -eq $MANY ]
	[ "$(blocks_of $OLD_BYTE)" -eq $MANY ]
	[ "$(blocks_of $NEW_BYTE)" -eq $((DISK_BLOCKS - MANY)) ]
	echo "# $MANY of $DISK_BLOCKS writes failed" >&3
}

@test "a delayed request takes that much longer" {
	local rw least delay_ms=1000
	echo $delay_ms >"$FAULTS/delay_ms"
	for rw in read write; do
		arm delay 3 100
		fio --name=delayed --filename="$DISK" --allow_file_create=0 --rw=$rw \
			--bs=4k --direct=1 --ioengine=psync --size=12k \
			--output-format=json --output="$BATS_TEST_TMPDIR/out.json"
		least=$(jq ".jobs[0].$rw.clat_ns.min / 1000000 | floor" \
			"$BATS_TEST_TMPDIR/out.json")
		echo "# 3 ${rw}s delayed by $delay_ms ms took $least ms or more" >&3
		[ "$(happened delay 3)" -eq 3 ]
		# The driver sleeps by jiffies. They lag if the CPU that counts them is not
		# running, on a busy host by a dozen ticks.
		[ "$least" -ge $((delay_ms / 2)) ]
	done
}

# verify_with FAULT PROBABILITY: verify all data while FAULT happens. Sets times to how often it
# has happened.
verify_with() {
	arm "$1" $UNLIMITED "$2"
	fio --name=verify --filename="$DISK" --allow_file_create=0 --rw=randwrite \
		--bs=4k --direct=1 --ioengine=io_uring --iodepth=8 --numjobs=4 --size=1M \
		--offset_increment=4M --verify=crc32c --verify_fatal=1
	times=$(happened "$1" $UNLIMITED)
	[ "$times" -gt 100 ]
	arm "$1" 0 0
}

@test "all data is right while one in ten requests is delayed" {
	echo 3 >"$FAULTS/delay_ms"
	verify_with delay 10
	echo "# $times requests delayed, all data verified" >&3
}

@test "all data is right while every second request is requeued" {
	local scheduler
	[ "$KIND" = cmb ] || skip "a PMR's disk has no queue"
	for scheduler in none mq-deadline; do
		echo $scheduler >"/sys/block/$DISK_NAME/queue/scheduler"
		verify_with requeue 50
		echo "# $scheduler: $times requeues, all data verified" >&3
	done
	echo none >"/sys/block/$DISK_NAME/queue/scheduler"
}
