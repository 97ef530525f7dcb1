#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Where the stock driver is a module both are loaded for QEMU's controller, by one alias.
# Whichever is there first has the controller, and the other takes nothing from it.
#
# config: cmb
# kernels: 6.12-rt

load lib.bash

NAMESPACE=/dev/nvme0n1

loaded() { # MODULE
	[ -e "/sys/module/$1" ]
}

unload_both() {
	unload_driver
	modprobe -r nvme
	fails loaded nvme
}

# udev_loads: what it does for a controller that has come.
udev_loads() {
	udevadm trigger --action=add "$SYS_PCI/devices/$(controller)"
	settle
}

@test "udev loads both, in the order of the module index" {
	local modules
	# what udev goes through, too
	modules=$(modprobe --resolve-alias "$(cat "$SYS_PCI/devices/$(controller)/modalias")")
	note "in this order: ${modules//$'\n'/ }"
	modules=$(grep -xE 'nvme|nvme_cmb' <<<"$modules")
	[ "$(sort -u <<<"$modules")" = $'nvme\nnvme_cmb' ]
	unload_both
	udev_loads
	loaded nvme
	loaded nvme_cmb
	bound "${modules%%$'\n'*}" "$(controller)"
}

@test "the stock driver, loaded first, keeps the controller" {
	unload_both
	modprobe nvme
	wait_for_disk $NAMESPACE
	udev_loads
	loaded nvme_cmb
	bound nvme "$(controller)"
	[ ! -e "$DISK" ]
}

@test "nvme_cmb, loaded first, keeps it, and there is no namespace" {
	unload_both
	modprobe nvme_cmb
	wait_for_disk "$DISK"
	udev_loads
	loaded nvme
	bound nvme_cmb "$(controller)"
	[ ! -e $NAMESPACE ]
}

@test "on the blacklist it is not loaded by the alias, and the stock driver has it" {
	unload_both
	echo "blacklist nvme_cmb" >/etc/modprobe.d/nvme_cmb.conf
	udevadm control --reload
	udev_loads
	fails loaded nvme_cmb
	bound nvme "$(controller)"
	wait_for_disk $NAMESPACE
}

@test "and loaded by name it still binds what it is told to" {
	modprobe nvme_cmb
	bound nvme "$(controller)"
	bind nvme_cmb "$(controller)"
	ends_hold_data "$DISK"
	bind nvme "$(controller)"
	wait_for_disk $NAMESPACE
}
