#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A controller that does not answer for a while: its memory decoding is switched off under load,
# and on again. Each request either returns the right data or fails.
#
# config: cmb-three pmr-two
# append: preempt=full
# qemu: -smp 1
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while
# another one accesses a device. The kernel is fully preemptible, so that decoding can be
# switched in the middle of a copy.

load lib.bash

TARGET=nvme_${KIND}1
OTHER=nvme_${KIND}0

setup_file() {
	load_driver
}

# target: the second controller, which has 16 MiB.
target() {
	controllers | sed -n 2p
}

read_target() {
	dd if="/dev/$TARGET" of=/dev/null bs=4k count=1 iflag=direct status=none
}

read_is_an_error() {
	LC_ALL=C fails read_target | grep "Input/output error"
}

# decode_off_for MILLISECONDS: requests fail while decoding is off, and succeed afterwards.
decode_off_for() {
	decode off "$(target)"
	read_is_an_error
	sleep "$(printf '0.%03d' "$1")"
	read_is_an_error
	decode on "$(target)"
	if [ "$STAGING" ]; then
		# First the driver disables the controller: it may have commands for the CMB.
		wait_for "the disk to serve again" read_target
	else
		read_target
	fi
}

@test "decoding switched off under load: errors, and no wrong byte" {
	local i times min_ms=50 max_ms=500 seed=1
	times=$(in_full 100 15)
	RANDOM=$seed
	start_io "$TARGET"
	for ((i = 0; i < times; i++)); do
		decode_off_for $((min_ms + RANDOM % (max_ms - min_ms)))
	done
	stop_io "$TARGET"
	note "$times times off for $min_ms-$max_ms ms, seed $seed: $(io_counts "$TARGET")"
	[ "$(io_count "$TARGET" failed_reads)" -gt "$times" ]
	[ "$(io_count "$TARGET" failed_writes)" -gt "$times" ]
	[ "$(io_count "$TARGET" unread)" -eq 0 ]
	# With staged copies the commands under way may be the first to tell.
	if [ -z "$STAGING" ]; then
		[ "$(log_since_mark | grep -c "stopped answering")" -eq "$times" ]
		[ "$(log_since_mark | grep -c "answers again")" -eq "$times" ]
	fi
}

@test "decoding switched off and on while a copy is preempted: no wrong byte" {
	# QEMU's timers wait for the lock that each access to a CMB takes.
	[ "$KIND" = pmr ] || skip "no timer interrupts a copy from a CMB in QEMU"
	local times
	times=$(in_full 400 50)
	tests/toggle_decode "/dev/$TARGET" "$(target)" "$times" >"$BATS_TEST_TMPDIR/counts"
	note "$times times off for 6-30 ms: $(cat "$BATS_TEST_TMPDIR/counts")"
	fails grep -q "copies=0 " "$BATS_TEST_TMPDIR/counts"
}

@test "while one controller does not answer, another one's disk is not affected" {
	start_io "$OTHER"
	start_io "$TARGET"
	decode_off_for 500
	decode off "$(target)"
	stop_io "$TARGET"
	stop_io "$OTHER"
	decode on "$(target)"
	note "target: $(io_counts "$TARGET")"
	note "other: $(io_counts "$OTHER")"
	[ "$(io_count "$TARGET" failed_writes)" -gt 0 ]
	[ "$(io_count "$TARGET" unread)" -gt 0 ]
	[ "$(io_count "$OTHER" failed_reads)" -eq 0 ]
	[ "$(io_count "$OTHER" failed_writes)" -eq 0 ]
}

@test "discard, zeroing and a file system's flush fail while decoding is off" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	decode off "$(target)"
	fails blkdiscard --offset 8M --length 4096 "/dev/$TARGET"
	fails blkdiscard --zeroout --offset 8M --length 4096 "/dev/$TARGET"
	decode on "$(target)"
	mkfs.ext4 -q "/dev/$TARGET"
	mount "/dev/$TARGET" "$mnt"
	decode off "$(target)"
	fails dd if=/dev/zero of="$mnt/file" bs=4k count=1 conv=fsync
	decode on "$(target)"
	umount "$mnt"
	ends_hold_data "/dev/$TARGET"
}
