#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A CMB that has lost what it held. A reset of a real controller's function, and a loss of
# its power, clears CMBMSC; in QEMU nothing but a write does, so that the tests write it.
#
# config: cmb-pmr
# append: iomem=relaxed
# qemu: -smp 1
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders while another
# one accesses a device.

load lib.bash

setup_file() {
	load_driver
}

# reset_clears: a reset of the function takes CMBMSC along. The disk of the CMB is dead, and
# a new one in its place; that of the PMR has not noticed.
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

@test "by a reset of the function" {
	reset_clears
}

@test "by a reset while it is mounted, and again" {
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

@test "under load: every request fails, and the PMR's do not" {
	local old
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

@test "unbound at once after that, nothing is left" {
	clear_cmbmsc
	reset_function
	unbind "$(controller)"
	fails ls -d /sys/block/nvme_*
	bind nvme_cmb "$(controller)"
	wait_for_disk "$CMB"
	ends_hold_data "$CMB"
	ends_hold_data "$PMR"
}
