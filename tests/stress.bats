#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything at once. Programs write, read, discard and trim, each in a part of the disk of its
# own. Others unbind and bind the driver, change the queue, switch a CPU off and on, and fill the
# memory. All data has to verify, also if the disk was removed and came back.
#
# config: cmb pmr
# qemu: -m 768M
# kernels: 6.12-debug

load lib.bash

readonly CPU=/sys/devices/system/cpu/cpu1/online
# How long run_for waits for its counts when its time is over
readonly EXTRA_S=1200
# keep_reclaiming leaves this much memory free.
readonly LEFT_MIB=192
readonly FILE_SIZE=1000000

setup_file() {
	modprobe dm-mod
	load_driver
}

# diskseq DISK: print the sequence number of DISK, which another disk of that name does not have.
# Print nothing while DISK cannot be opened, as at some point of an unbind.
diskseq() {
	[ ! -e "$BATS_TEST_TMPDIR/unbinding" ] && [ -b "/dev/$1" ] || return 0
	cat "/sys/block/$1/diskseq" 2>/dev/null || true
}

# queue ATTRIBUTE VALUE: set an attribute of the disk's queue. False if there is no disk, or if it
# refuses the value.
queue() {
	echo "$2" >"/sys/block/$(disk_of "$FUNCTION")/queue/$1"
} 2>/dev/null

# count NAME [BY]: add BY, or 1, to the count NAME. counted NAME prints it.
count() {
	echo "${2:-1}" >>"$BATS_TEST_TMPDIR/count.$1"
}

counted() {
	local file=$BATS_TEST_TMPDIR/count.$1
	[ -e "$file" ] || file=/dev/null
	awk '{ n += $1 } END { print n + 0 }' "$file"
}

# running: false if the time is over or there was an error.
running() {
	[ -e "$BATS_TEST_TMPDIR/running" ] && [ ! -e "$BATS_TEST_TMPDIR/errors" ]
}

# run_for SECONDS COUNT...: let the programs run for that time, and until each COUNT is at least 1,
# which may take longer on a busy host.
run_for() {
	local what end=$((SECONDS + $1)) last=$((SECONDS + $1 + EXTRA_S))
	while running && [ $SECONDS -lt $last ]; do
		sleep 1
		[ $SECONDS -lt $end ] && continue
		for what in "${@:2}"; do
			[ "$(counted "$what")" -gt 0 ] || continue 2
		done
		break
	done
	rm "$BATS_TEST_TMPDIR/running"
}

# start COMMAND...: run COMMAND in the background.
start() {
	"$@" 3>&- &
	pids+=($!)
}

# pause: two emulated CPUs are not enough for all programs to run without pauses.
pause() {
	sleep 1
}

# report_error TEXT...: report an error, which ends the test.
report_error() {
	echo "$*" >>"$BATS_TEST_TMPDIR/errors"
}

# --- programs that write and read, each in a region of 1 MiB or more ---------

# keep_verifying ENGINE DEPTH REGION: with fio. It loops within one run, because it takes longer
# to start than to write and read a megabyte. A read from a disk that was removed returns no bytes
# and no error. With an asynchronous engine fio (3.33) takes that for a full read, and verifies the
# old content of its buffer. So an error counts only if the disk was not removed.
keep_verifying() {
	local log=$BATS_TEST_TMPDIR/fio.$1 disk seq
	while running; do
		disk=$(disk_of "$FUNCTION")
		seq=$(diskseq "$disk")
		[ -n "$seq" ] || continue
		if fio --name="$1" --filename="/dev/$disk" --ioengine="$1" \
			--iodepth="$2" --offset=$(($3 * MIB)) --size=1m --loops="$(in_full 4 1)" \
			--rw=randwrite --bsrange=512-8k --direct=1 \
			--allow_file_create=0 --verify=crc32c \
			--verify_fatal=1 >"$log" 2>&1; then
			count "$1"
		else
			broken_off "$1" "$disk" "$seq" "$(cat "$log")"
			count fio-broken-off
		fi
	done
}

# broken_off PROGRAM DISK SEQ [OUTPUT]: PROGRAM has failed. That is an error unless DISK was
# removed since it had the sequence number SEQ.
broken_off() {
	if [ "$(diskseq "$2")" = "$3" ]; then
		report_error "$1 failed, and $2 was not removed: ${4-}"
	else
		count "$1-broken-off"
	fi
}

# keep_writing REGION: write with dd. All blocks that dd has reported as written have to be there
# when the disk is back, also if dd was interrupted.
keep_writing() {
	local round=0 blocks disk seq
	while running; do
		disk=$(disk_of "$FUNCTION")
		seq=$(diskseq "$disk")
		[ -n "$seq" ] || continue
		round=$((round + 1))
		blocks=$(pattern "round $round" "$MIB" | LC_ALL=C dd \
			of="/dev/$disk" oflag=direct,seek_bytes conv=nocreat \
			iflag=fullblock bs=4k seek=$(($1 * MIB)) 2>&1 |
			sed -n 's/+.* records out$//p')
		[ "${blocks:-0}" -eq $((MIB / BLOCK)) ] || broken_off dd "$disk" "$seq"
		[ "${blocks:-0}" -gt 0 ] || continue
		until read_back "$1" "$blocks"; do
			running || return 0
		done
		if cmp -n $((blocks * BLOCK)) <(pattern "round $round" "$MIB") \
			"$BATS_TEST_TMPDIR/back"; then
			count dd
			count bytes $((blocks * BLOCK))
		else
			report_error "dd: round $round, $blocks blocks differ"
		fi
		pause
	done
}

# read_back REGION BLOCKS: read blocks from the disk to the file "back".
read_back() {
	local disk seq
	: >"$BATS_TEST_TMPDIR/back"
	disk=$(disk_of "$FUNCTION")
	seq=$(diskseq "$disk")
	[ -n "$seq" ] || return 1
	dd if="/dev/$disk" of="$BATS_TEST_TMPDIR/back" bs=4k \
		iflag=direct,skip_bytes skip=$(($1 * MIB)) count="$2" \
		status=none 2>/dev/null &&
		[ "$(stat -c %s "$BATS_TEST_TMPDIR/back")" -eq $(($2 * BLOCK)) ] && return
	broken_off dd-back "$disk" "$seq"
	return 1
}

# keep_discarding REGION: write, discard and read a region. It has to read as zeros.
keep_discarding() {
	local disk seq
	while running; do
		disk=$(disk_of "$FUNCTION")
		seq=$(diskseq "$disk")
		[ -n "$seq" ] || continue
		if ! discard "$1" "$disk" 2>/dev/null; then
			broken_off discard "$disk" "$seq"
		elif cmp -n "$MIB" /dev/zero "$BATS_TEST_TMPDIR/zeros"; then
			count discards
		else
			report_error "discarded blocks do not read as zeros"
		fi
		pause
	done
}

discard() { # REGION DISK
	pattern discard "$MIB" | dd of="/dev/$2" oflag=seek_bytes \
		conv=nocreat,fsync iflag=fullblock bs=64k \
		seek=$(($1 * MIB)) status=none || return 1
	# Without --force blkdiscard opens the disk exclusively, and keep_trimming uses it.
	blkdiscard --force --offset $(($1 * MIB)) --length "$MIB" "/dev/$2" || return 1
	dd if="/dev/$2" bs=64k count=16 iflag=direct,skip_bytes \
		skip=$(($1 * MIB)) status=none >"$BATS_TEST_TMPDIR/zeros" || return 1
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/zeros")" -eq "$MIB" ]
}

# keep_trimming REGION MIB: make a file system and trim its free space. A file in it has to keep
# its data. A failure is an error only if the disk was not removed. Wrong data always is one.
keep_trimming() {
	local mnt=$BATS_TEST_TMPDIR/trimmed disk seq output status
	mkdir "$mnt"
	while running; do
		disk=$(disk_of "$FUNCTION")
		seq=$(diskseq "$disk")
		[ -n "$seq" ] || continue
		status=0
		output=$({ dmsetup create trimmed --table \
			"0 $(($2 * MIB / 512)) linear /dev/$disk $(($1 * MIB / 512))" &&
			trim /dev/mapper/trimmed "$mnt"; } 2>&1) || status=$?
		case $status in
		0)	count fstrims ;;
		2)	report_error "fstrim: $output" ;;
		*)	broken_off fstrim "$disk" "$seq" "$output" ;;
		esac
		! mountpoint -q "$mnt" || umount "$mnt"
		# The removal fails while udev reads the device.
		while [ -e /dev/mapper/trimmed ]; do
			dmsetup remove --retry trimmed || true
		done
		pause
	done
}

# trim DISK MOUNTPOINT: the status is 2 if the file holds wrong data, and 1 if anything else fails.
trim() {
	local trimmed
	mkfs.ext4 -q "$1" && mount "$1" "$2" || return 1
	pattern kept $FILE_SIZE >"$2/kept" && pattern lost $FILE_SIZE >"$2/lost" &&
		sync --file-system "$2" && rm "$2/lost" && sync --file-system "$2" &&
		trimmed=$(fstrim --verbose "$2") && umount "$2" && mount "$1" "$2" || return 1
	[[ $trimmed =~ \(([0-9]+)\ bytes ]] && count bytes-trimmed "${BASH_REMATCH[1]}"
	cat "$2/kept" >"$BATS_TEST_TMPDIR/kept" || return 1
	cmp <(pattern kept $FILE_SIZE) "$BATS_TEST_TMPDIR/kept" || return 2
}

# --- programs that disturb them ----------------------------------------------

# keep_rebinding: unbind and bind the driver at any moment, but not before each of these programs
# has succeeded once more. On an emulated CPU that takes seconds, and many for fstrim.
keep_rebinding() {
	local what
	local -A before
	while running; do
		for what in psync libaio io_uring fstrims; do
			before[$what]=$(counted "$what")
		done
		for what in "${!before[@]}"; do
			until [ "$(counted "$what")" -gt "${before[$what]}" ] || ! running; do
				sleep 0.5
			done
		done
		: >"$BATS_TEST_TMPDIR/unbinding"
		echo "$FUNCTION" >"$SYS_PCI/drivers/nvme_cmb/unbind"
		rm "$BATS_TEST_TMPDIR/unbinding"
		echo "$FUNCTION" >"$SYS_PCI/drivers/nvme_cmb/bind"
		count rebinds
	done
}

# keep_switching: change the scheduler and the number of requests of the queue.
keep_switching() {
	local scheduler depth
	while running; do
		for scheduler in none mq-deadline bfq; do
			! queue scheduler $scheduler || count $scheduler
			for depth in 4 16 64; do
				! queue nr_requests $depth || count nr_requests
			done
			pause
		done
	done
}

# keep_plugging: switch a CPU off and on. Linux refuses this with EBUSY while a driver probes a
# PCI device.
keep_plugging() {
	while running; do
		pause
		until echo 0 >$CPU; do sleep 0.1; done
		until echo 1 >$CPU; do sleep 0.1; done
		count cpu-cycles
	done
} 2>/dev/null

# keep_reclaiming: use all memory but LEFT_MIB, and read more than fits into that, so that Linux
# has to reclaim memory. With less free memory, or without a pause, the guest would only read its
# programs from the disk again and again.
keep_reclaiming() {
	local free_kib
	mount -o remount,size=100% /dev/shm
	while running; do
		sleep 2
		free_kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
		fallocate -l $((free_kib - LEFT_MIB * 1024))KiB /dev/shm/pressure
		dd if=/dev/vda of=/dev/null bs=1M count=256 status=none
		rm /dev/shm/pressure
		count reclaims
	done
}

@test "all data verifies while the driver, the queue, CPUs and memory change" {
	local what pid seconds=60
	local -a pids
	local -a counts=(psync libaio io_uring dd discards fstrims bytes-trimmed rebinds
		fio-broken-off cpu-cycles reclaims)
	# A PMR's disk has no queue, and so neither schedulers nor nr_requests.
	[ "$KIND" = pmr ] || counts+=(none mq-deadline bfq nr_requests)
	[ -z "$FULL" ] || seconds=600
	FUNCTION=$(controller)
	: >"$BATS_TEST_TMPDIR/running"
	start keep_verifying psync 1 0
	start keep_verifying libaio 8 2
	start keep_verifying io_uring 32 4
	start keep_writing 6
	start keep_discarding 8
	start keep_trimming 10 5
	start keep_rebinding
	start keep_switching
	start keep_plugging
	start keep_reclaiming
	run_for $seconds "${counts[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid" || report_error "one of the programs failed"
	done
	for what in "${counts[@]}"; do
		note "$what: $(counted "$what")"
	done
	for what in psync libaio io_uring dd dd-back discard fstrim; do
		note "$what interrupted by an unbind: $(counted "$what-broken-off")"
	done
	note "bytes that dd has written and read: $(counted bytes)"
	if [ -e "$BATS_TEST_TMPDIR/errors" ]; then
		cat "$BATS_TEST_TMPDIR/errors"
		return 1
	fi
	for what in "${counts[@]}"; do
		[ "$(counted "$what")" -gt 0 ]
	done
	settle
	bind nvme_cmb "$FUNCTION"
	ends_hold_data "/dev/$(disk_of "$FUNCTION")"
}
