#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# If the stock driver is a module, udev loads both drivers for QEMU's controller, which both have
# an alias for. The controller has a namespace. So nvme_cmb leaves it to the stock driver, also if
# it is loaded first, unless driver_override asks for nvme_cmb.
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

# udev_loads: let udev do what it does for a new controller.
udev_loads() {
	udevadm trigger --action=add "$SYS_PCI/devices/$(controller)"
	settle
}

@test "udev loads both, and the stock driver has the controller" {
	local modules
	# udev loads the modules in this order, too.
	modules=$(modprobe --resolve-alias "$(cat "$SYS_PCI/devices/$(controller)/modalias")")
	note "in this order: ${modules//$'\n'/ }"
	modules=$(grep -xE 'nvme|nvme_cmb' <<<"$modules")
	[ "$(sort -u <<<"$modules")" = $'nvme\nnvme_cmb' ]
	unload_both
	udev_loads
	loaded nvme
	loaded nvme_cmb
	bound nvme "$(controller)"
	wait_for_disk $NAMESPACE
}

@test "nvme_cmb, loaded first, leaves it to the stock driver, with one line in the log" {
	unload_both
	modprobe nvme_cmb
	logged "nvme_cmb $(controller): declined: it has namespace 1"
	[ "$(log_since_mark | grep -c 'nvme_cmb ')" -eq 1 ]
	[ ! -e "$DISK" ]
	udev_loads
	bound nvme "$(controller)"
	wait_for_disk $NAMESPACE
}

@test "nvme_cmb, asked for by driver_override and loaded first, has the controller" {
	unload_both
	echo nvme_cmb >"$SYS_PCI/devices/$(controller)/driver_override"
	modprobe nvme_cmb
	wait_for_disk "$DISK"
	udev_loads
	loaded nvme
	bound nvme_cmb "$(controller)"
	[ ! -e $NAMESPACE ]
	ends_hold_data "$DISK"
	bind nvme "$(controller)"
	echo >"$SYS_PCI/devices/$(controller)/driver_override"
}

@test "nvme_cmb, loaded first with the namespace named as scratch, has the controller" {
	unload_both
	modprobe nvme_cmb staging=1
	wait_for_disk "$DISK"
	udev_loads
	bound nvme_cmb "$(controller)"
	[ ! -e $NAMESPACE ]
}

@test "udev does not load nvme_cmb if it is on the blacklist" {
	unload_both
	echo "blacklist nvme_cmb" >/etc/modprobe.d/nvme_cmb.conf
	udevadm control --reload
	udev_loads
	fails loaded nvme_cmb
	bound nvme "$(controller)"
	wait_for_disk $NAMESPACE
}

@test "nvme_cmb on the blacklist can be loaded by name, and bound" {
	modprobe nvme_cmb
	bound nvme "$(controller)"
	bind nvme_cmb "$(controller)"
	ends_hold_data "$DISK"
	bind nvme "$(controller)"
	wait_for_disk $NAMESPACE
}
