#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What takes a port that does hot-plug itself (pciehp): a cut of its slot's power, and the
# recovery from a fatal error.
#
# config: cmb-root-port pmr-root-port
# append: initcall_blacklist=nvme_init
# qemu: -smp 1 -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
#
# One CPU, and no stock driver: see hotplug.bats.

load lib.bash

setup_file() {
	load_driver
}

# power off|on: of the slot, by Power Controller Control in Slot Control. The power
# indicator stays on: with both off QEMU takes the device away for good.
power() {
	case $1 in
	off)	setpci -s "$(function_of 1b36:000c)" CAP_EXP+18.w=400:400 ;;
	on)	setpci -s "$(function_of 1b36:000c)" CAP_EXP+18.w=0:400 ;;
	esac
}

# cut_power: until requests have found the device gone, as often as cuts says, and the disk
# is dead.
cut_power() {
	power off
	wait_for "the disk to be dead" logged_times $((++cuts)) "the device is gone"
	wait_for "the disk to have no size" grep -qx 0 "/sys/block/$DISK_NAME/size"
	fails dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
}

back_with_power() {
	power on
	remove
	find_again
}

@test "fatal errors on the port under load: every request is served" {
	local i times
	times=$(in_full 10 3)
	start_stamp "$DISK_NAME"
	for ((i = 1; i <= times; i++)); do
		serve_some "$DISK_NAME"
		# after which Linux 6.1 forgets that it has the device's state
		echo 1 >"$SYS_PCI/devices/$(controller)/reset"
		inject DLP
		wait_for "recovery $i" logged_times "$i" "device recovery successful"
	done
	stop_stamp "$DISK_NAME"
	note "$times recoveries: $(stamp_counts "$DISK_NAME")"
	[ "$(stamp_count "$DISK_NAME" failed_reads)" -eq 0 ]
	[ "$(stamp_count "$DISK_NAME" failed_writes)" -eq 0 ]
	[ "$(stamp_count "$DISK_NAME" unread)" -eq 0 ]
}

@test "power cut under load: errors at once, and the data is there afterwards" {
	local cuts=0
	pattern power 65536 >"$BATS_TEST_TMPDIR/pattern"
	taken_under_load "$(in_full 10 3)" cut_power back_with_power
	dd if="$BATS_TEST_TMPDIR/pattern" of="$DISK" bs=64k oflag=direct status=none
	power off
	fails dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	back_with_power
	cmp -n 65536 "$BATS_TEST_TMPDIR/pattern" "$DISK"
}

@test "power cut under a mounted file system: errors, and it is unmounted" {
	local mnt=$BATS_TEST_TMPDIR/mnt begin
	mkdir "$mnt"
	mkfs.ext4 -q "$DISK"
	mount "$DISK" "$mnt"
	pattern mounted 1048576 >"$mnt/file"
	sync
	power off
	begin=$SECONDS
	fails dd if=/dev/zero of="$mnt/new" bs=4k count=1 conv=fsync
	umount "$mnt"
	note "errors, and unmounted, within $((SECONDS - begin)) s"
	back_with_power
	mount "$DISK" "$mnt"
	cmp <(pattern mounted 1048576) "$mnt/file"
	umount "$mnt"
	e2fsck -f -n "$DISK"
}
