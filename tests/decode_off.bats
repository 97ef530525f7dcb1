#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A controller that does not answer for a while: its memory decoders are switched
# off under load, and on again. Every request then is an error, and none is a lie.
#
# config: cmb-three pmr-two
# append: preempt=full
# qemu: -smp 1
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders while another
# one accesses a device; and with a kernel that lets it be taken from the midst of a copy.

load lib.bash

ONE=nvme_${KIND}1
OTHER=nvme_${KIND}0

setup_file() {
	load_driver
}

# the_one: the second controller, which has 16 MiB.
the_one() {
	controllers | sed -n 2p
}

read_one() {
	dd if="/dev/$ONE" of=/dev/null bs=4k count=1 iflag=direct status=none
}

read_is_an_error() {
	LC_ALL=C fails read_one | grep "Input/output error"
}

# window MILLISECONDS: no answer for so long.
window() {
	decode off "$(the_one)"
	read_is_an_error
	sleep "$(printf '0.%03d' "$1")"
	read_is_an_error
	decode on "$(the_one)"
	read_one
}

@test "decode switched off under load: errors, and not one wrong byte" {
	local i windows
	windows=$(in_full 100 35)
	RANDOM=1
	start_stamp "$ONE"
	for ((i = 0; i < windows; i++)); do
		window $((50 + RANDOM % 450))
	done
	stop_stamp "$ONE"
	note "$windows windows of 50-500 ms, seed 1: $(stamp_counts "$ONE")"
	[ "$(stamp_count "$ONE" failed_reads)" -gt "$windows" ]
	[ "$(stamp_count "$ONE" failed_writes)" -gt "$windows" ]
	[ "$(stamp_count "$ONE" unread)" -eq 0 ]
	[ "$(log_since_mark | grep -c "stopped answering")" -eq "$windows" ]
	[ "$(log_since_mark | grep -c "answers again")" -eq "$windows" ]
}

@test "decode switched off and on while a copy waits: not one wrong byte" {
	# QEMU's timers wait for the lock that each access to a CMB takes
	[ "$KIND" = pmr ] || skip "no timer interrupts a copy from a CMB in QEMU"
	local times
	times=$(in_full 400 100)
	tests/silence "/dev/$ONE" "$(the_one)" "$times" >"$BATS_TEST_TMPDIR/did"
	note "$times silences of 6-30 ms: $(cat "$BATS_TEST_TMPDIR/did")"
	fails grep -q "copies=0 " "$BATS_TEST_TMPDIR/did"
}

@test "with one controller dead, another one's disk does not notice" {
	start_stamp "$OTHER"
	start_stamp "$ONE"
	window 500
	decode off "$(the_one)"
	stop_stamp "$ONE"
	stop_stamp "$OTHER"
	decode on "$(the_one)"
	note "the one: $(stamp_counts "$ONE")"
	note "another: $(stamp_counts "$OTHER")"
	[ "$(stamp_count "$ONE" failed_writes)" -gt 0 ]
	[ "$(stamp_count "$ONE" unread)" -gt 0 ]
	[ "$(stamp_count "$OTHER" failed_reads)" -eq 0 ]
	[ "$(stamp_count "$OTHER" failed_writes)" -eq 0 ]
}

@test "discard, zeroing and a file system's flush fail, too" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	decode off "$(the_one)"
	fails blkdiscard --offset 8M --length 4096 "/dev/$ONE"
	fails blkdiscard --zeroout --offset 8M --length 4096 "/dev/$ONE"
	decode on "$(the_one)"
	mkfs.ext4 -q "/dev/$ONE"
	mount "/dev/$ONE" "$mnt"
	decode off "$(the_one)"
	fails dd if=/dev/zero of="$mnt/file" bs=4k count=1 conv=fsync
	decode on "$(the_one)"
	umount "$mnt"
	ends_hold_data "/dev/$ONE"
}
