#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The slot of a port that does hot-plug itself (pciehp), switched off in good order.
#
# config: cmb-root-port pmr-root-port
# append: initcall_blacklist=nvme_init
# qemu: -smp 1 -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
#
# One CPU, and no stock driver: see hotplug.bats. In a guest of its own, because lockdep
# falls silent with its first report, and here that is one about Linux itself.

load lib.bash

# Whoever the driver is, pciehp takes pci_rescan_remove_lock with its reset_lock held, and
# then lets go of that and takes it again (pciehp_unconfigure_device()).
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

@test "the slot switched off in sysfs under load: errors, and not one wrong byte" {
	local slot
	# it wakes the one of pciehp's threads that finds nothing to do
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
	# QEMU takes a device away that is switched off in good order
	plug_in_disk
	check_replugged
	ends_hold_data "$DISK"
}
