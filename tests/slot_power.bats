#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Orderly removal with native PCIe hot-plug (pciehp): the slot is switched off in sysfs.
#
# config: cmb-root-port pmr-root-port
# append: initcall_blacklist=nvme_init
# qemu: -smp 1 -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
#
# For the reasons for one CPU and no stock driver see hotplug.bats. The file has a guest of its
# own, because lockdep stops at its first report, and here that is one about Linux itself.

load lib.bash

# An expected splat of lockdep, with any driver: pciehp_unconfigure_device() takes
# pci_rescan_remove_lock while it holds its reset_lock. Then it releases reset_lock, and takes it
# again.
export NO_SPLAT='
/possible circular locking/{
:report
N
/<\/TASK>/!b report
/to acquire lock:\n[^\n]*reset_lock[^\n]*\n[^\n]*\n[^\n]*holding lock:\n[^\n]*pci_rescan_remove_lock/d
}'

setup_file() {
	load_driver
}

@test "the slot switched off in sysfs under load: errors, and no wrong byte" {
	local slot
	# On PREEMPT_RT the write wakes the thread of pciehp that has nothing to do.
	[[ $(uname -v) != *PREEMPT_RT* ]] ||
		skip "on PREEMPT_RT a write to the slot's power never ends, with no driver either"
	for slot in "$SYS_PCI"/slots/*; do
		[[ $(controller) != "$(<"$slot/address")"* ]] || break
	done
	start_io "$DISK_NAME"
	wait_for_io "$DISK_NAME"
	echo 0 >"$slot/power"
	wait_for "the controller to go" no_controller
	stop_io "$DISK_NAME"
	note "$(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" unread)" -eq "$DISK_BLOCKS" ]
	[ ! -e "$DISK" ]
	# QEMU has deleted the device, because the slot was switched off in the right order.
	plug_in_disk
	check_replugged
	ends_hold_data "$DISK"
}
