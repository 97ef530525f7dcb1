#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests that need native PCIe hot-plug (pciehp): power cuts of the slot, surprise removal, and
# recovery from fatal errors.
#
# config: cmb-root-port pmr-root-port
# append: initcall_blacklist=nvme_init iomem=relaxed
# qemu: -smp 1 -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
#
# For the reasons for one CPU and no stock driver see hotplug.bats.

load lib.bash

# An expected splat of lockdep (6.12). The PCI core takes its locks in different orders: pciehp
# takes the slot's reset_lock before pci_rescan_remove_lock, and AER's recovery does the opposite.
export NO_SPLAT='
/WARNING: possible circular locking/{
	:report
	N
	/<\/TASK>/!b report
	/acquire lock:[^:]*pci_rescan_remove_lock.*holding lock:[^:]*ctrl->reset_lock/d
}'

# Slot Control of the root port, for setpci, and its bits in hexadecimal: both bits of Power
# Indicator Control, with the values "on" and "off", and Power Controller Control, which is
# set for "off"
readonly ROOT_PORT=1b36:000c SLOT_CONTROL=CAP_EXP+18.w
readonly INDICATOR_ON=100 POWER_OFF=400 INDICATOR_AND_POWER_OFF=700

# The driver waits 30 s for a device that does not answer. The test begins to count when the
# first request has failed.
readonly MIN_DEAD_AFTER_S=25
readonly SIZE=65536

setup_file() {
	load_driver
}

# power off|on: switch the power of the slot, by Power Controller Control in Slot Control. The
# power indicator stays on. If both are off, QEMU deletes the device.
power() {
	case $1 in
	off)	setpci -s "$(function_of $ROOT_PORT)" $SLOT_CONTROL=$POWER_OFF:$POWER_OFF ;;
	on)	setpci -s "$(function_of $ROOT_PORT)" $SLOT_CONTROL=0:$POWER_OFF ;;
	esac
}

# pull_out: surprise removal. QEMU deletes the device when power and indicator go off. The power
# is on again before pciehp notices, so that pciehp finds a slot with power and without a card.
pull_out() {
	chrt --fifo 99 setpci -s "$(function_of $ROOT_PORT)" \
		$SLOT_CONTROL=$INDICATOR_AND_POWER_OFF:$INDICATOR_AND_POWER_OFF \
		$SLOT_CONTROL=$INDICATOR_ON:$INDICATOR_AND_POWER_OFF
}

# slot_is_off: pciehp has switched off the slot: first the power, and a second later the power
# indicator. QEMU deletes a device that is plugged in before that.
slot_is_off() {
	local control
	control=0x$(setpci -s "$(function_of $ROOT_PORT)" $SLOT_CONTROL)
	(((control & 0x$INDICATOR_AND_POWER_OFF) == 0x$INDICATOR_AND_POWER_OFF))
}

# cut_power: switch the power off, and wait until a request has failed. The variable cuts counts
# the calls.
cut_power() {
	power off
	wait_for "requests to fail" logged_times $((++cuts)) "stopped answering"
	fails dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
}

restore_power() {
	power on
	remove
	rescan
}

@test "fatal errors on the port under load: every request is served" {
	local i times
	times=$(in_full 10 3)
	start_io "$DISK_NAME"
	for ((i = 1; i <= times; i++)); do
		wait_for_io "$DISK_NAME"
		# Linux 6.1 has no saved state of the device after this.
		reset_function
		inject DLP
		wait_for "recovery $i" logged_times "$i" "device recovery successful"
	done
	stop_io "$DISK_NAME"
	note "$times recoveries: $(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -eq 0 ]
	[ "$(io_count "$DISK_NAME" failed_writes)" -eq 0 ]
	[ "$(io_count "$DISK_NAME" unread)" -eq 0 ]
}

@test "a fatal error whose recovery clears the CMB: the CMB has a new disk" {
	[ "$KIND" = cmb ] || skip "the driver enables a PMR again"
	local old
	old=$(cat "/sys/block/$DISK_NAME/dev")
	exec 9<>"$DISK"
	clear_cmbmsc
	inject DLP
	wait_for "the recovery" logged_times 1 "device recovery successful"
	logged "$DISK_NAME: a reset has cleared what it held, the disk is dead"
	wait_for "a new disk" disk_replaced "$old"
	wait_for_disk "$DISK"
	open_disk_is_dead
	exec 9<&-
	ends_hold_data "$DISK"
}

# Requests fail before Linux knows of an error. A fatal error of the port, injected later, makes
# it reset and restore the device.
@test "power cut and recovery under load: errors, and then the same disk works" {
	local i times cuts=0
	times=$(in_full 10 3)
	start_io "$DISK_NAME"
	for ((i = 1; i <= times; i++)); do
		wait_for_io "$DISK_NAME"
		cut_power
		sleep 1
		power on
		inject DLP
		wait_for "recovery $i" logged_times "$i" "device recovery successful"
	done
	wait_for_io "$DISK_NAME"
	stop_io "$DISK_NAME"
	note "$times times: $(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -gt 0 ]
	[ "$(io_count "$DISK_NAME" unread)" -eq 0 ]
	logged_times "$times" "answers again"
	fails logged "the device is gone"
}

@test "no power for half a minute: the disk is dead for good" {
	local cuts=0 begin
	start_io "$DISK_NAME"
	wait_for_io "$DISK_NAME"
	cut_power
	begin=$SECONDS
	[ "$(cat "/sys/block/$DISK_NAME/size")" -gt 0 ]
	wait_for "the disk to be dead" logged_times 1 "the device is gone"
	note "after $((SECONDS - begin)) s"
	[ $((SECONDS - begin)) -ge $MIN_DEAD_AFTER_S ]
	wait_for "the disk to have no size" grep -qx 0 "/sys/block/$DISK_NAME/size"
	power on
	inject DLP
	wait_for "recovery" logged_times 1 "device recovery successful"
	stop_io "$DISK_NAME"
	[ "$(io_count "$DISK_NAME" unread)" -eq "$DISK_BLOCKS" ]
	remove
	rescan
}

@test "pulled out under load: the disk is dead at once" {
	local begin
	start_io "$DISK_NAME"
	wait_for_io "$DISK_NAME"
	begin=$SECONDS
	pull_out
	wait_for "the controller to go" no_controller
	stop_io "$DISK_NAME"
	note "removed, and all of it read, after $((SECONDS - begin)) s"
	[ "$(io_count "$DISK_NAME" unread)" -eq "$DISK_BLOCKS" ]
	[ ! -e "$DISK" ]
	wait_for "the slot to be off" slot_is_off
	plug_in_disk
	check_replugged
	ends_hold_data "$DISK"
}

@test "power cut under load: errors at once, and the data is there afterwards" {
	local cuts=0
	pattern power $SIZE >"$BATS_TEST_TMPDIR/pattern"
	cycle_under_load "$(in_full 10 3)" cut_power restore_power
	dd if="$BATS_TEST_TMPDIR/pattern" of="$DISK" bs=64k oflag=direct status=none
	power off
	fails dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	restore_power
	cmp -n $SIZE "$BATS_TEST_TMPDIR/pattern" "$DISK"
}

@test "power cut under a mounted file system: errors, and it is unmounted" {
	local mnt=$BATS_TEST_TMPDIR/mnt begin
	mkdir "$mnt"
	mkfs.ext4 -q "$DISK"
	mount "$DISK" "$mnt"
	pattern mounted "$MIB" >"$mnt/file"
	sync
	power off
	begin=$SECONDS
	fails dd if=/dev/zero of="$mnt/new" bs=4k count=1 conv=fsync
	umount "$mnt"
	note "errors, and unmounted, within $((SECONDS - begin)) s"
	restore_power
	mount "$DISK" "$mnt"
	cmp <(pattern mounted "$MIB") "$mnt/file"
	umount "$mnt"
	e2fsck -f -n "$DISK"
}
