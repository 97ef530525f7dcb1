#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A reset that clears the CMB. The disk of the CMB is dead then, and a new one takes its place.
# The disk of the PMR goes on. A real controller clears CMBMSC when it is reset or loses power. In
# QEMU only a write clears it, so the tests write it before the reset.
#
# config: cmb-pmr
# append: iomem=relaxed
# qemu: -smp 1
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while
# another one accesses a device.

load lib.bash

setup_file() {
	load_driver
}

# reset_clears: reset the function, with CMBMSC cleared. Check that the CMB has a new disk, that
# the old one is dead, and that the PMR's disk still serves.
reset_clears() {
	local old
	old=$(cat /sys/block/nvme_cmb0/dev)
	pattern "$old" "$MIB" | dd of="$PMR" bs=64k oflag=direct iflag=fullblock status=none
	exec 8<>"$PMR" 9<>"$CMB"
	clear_cmbmsc
	reset_function
	wait_for "a new disk" disk_replaced "$old"
	wait_for_disk "$CMB"
	logged "nvme_cmb0: a reset has cleared what it held, the disk is dead"
	open_disk_is_dead
	exec 9<&-
	cmp -n "$MIB" <(pattern "$old" "$MIB") "$PMR"
	dd if=/dev/zero bs=4k count=1 conv=fsync,notrunc status=none >&8
	exec 8<&-
	[ "$(blockdev --getsize64 "$CMB")" -eq "$DISK_SIZE" ]
	ends_hold_data "$CMB"
}

@test "a reset clears the CMB: its disk is dead, and a new one is there" {
	reset_clears
}

@test "the same while the disk is mounted, twice" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	mkfs.ext4 -q "$CMB"
	mount "$CMB" "$mnt"
	reset_clears
	fails dd if=/dev/zero of="$mnt/file" bs=4k count=1 conv=fsync
	reset_clears
	umount "$mnt"
	mkfs.ext4 -q "$CMB"
	mount "$CMB" "$mnt"
	umount "$mnt"
}

@test "the same under load: requests to the CMB fail, and none to the PMR" {
	local old
	[ -z "$STAGING" ] || skip "commands that are under way while CMBMSC is written move nothing"
	start_io nvme_cmb0
	start_io nvme_pmr0
	wait_for_io nvme_cmb0
	wait_for_io nvme_pmr0
	old=$(cat /sys/block/nvme_cmb0/dev)
	clear_cmbmsc
	reset_function
	wait_for "a new disk" disk_replaced "$old"
	wait_for_disk "$CMB"
	wait_for_io nvme_pmr0
	stop_io nvme_cmb0
	stop_io nvme_pmr0
	note "CMB: $(io_counts nvme_cmb0)"
	note "PMR: $(io_counts nvme_pmr0)"
	[ "$(io_count nvme_cmb0 unread)" -eq "$DISK_BLOCKS" ]
	[ "$(io_count nvme_pmr0 failed_reads)" -eq 0 ]
	[ "$(io_count nvme_pmr0 failed_writes)" -eq 0 ]
	[ "$(io_count nvme_pmr0 unread)" -eq 0 ]
	ends_hold_data "$CMB"
	fio_verify "$CMB" 4k
}

@test "unbound at once after such a reset, the controller leaves no disk" {
	clear_cmbmsc
	reset_function
	unbind "$(controller)"
	fails ls -d /sys/block/nvme_*
	bind nvme_cmb "$(controller)"
	wait_for_disk "$CMB"
	ends_hold_data "$CMB"
	ends_hold_data "$PMR"
}
