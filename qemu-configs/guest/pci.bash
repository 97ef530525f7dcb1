# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Bind PCI functions to drivers, for all scripts that run in the guest.

SYS_PCI=/sys/bus/pci

# controllers: print the NVMe functions in bus order, one in a line.
controllers() {
	local dev class
	for dev in "$SYS_PCI"/devices/*; do
		read -r class <"$dev/class"
		[ "$class" != 0x010802 ] || echo "${dev##*/}"
	done
}

# bind DRIVER FUNCTION: unbind FUNCTION from its driver, and bind it to DRIVER. False if DRIVER
# declines it.
bind() {
	local dev=$SYS_PCI/devices/$2
	unbind "$2"
	echo "$1" >"$dev/driver_override"
	echo "$2" >"$SYS_PCI/drivers_probe"
	settle
	bound "$1" "$2"
}

# unbind FUNCTION...: unbind each FUNCTION that has a driver. udev reads a new disk, which keeps
# its number for that time. So wait for udev, and the next disk gets the number that is expected.
unbind() {
	local function driver
	for function; do
		driver=$SYS_PCI/devices/$function/driver
		[ ! -e "$driver" ] || echo "$function" >"$driver/unbind"
	done
	settle
}

# bound DRIVER FUNCTION: true if FUNCTION is bound to DRIVER
bound() {
	[ "$(readlink -f "$SYS_PCI/devices/$2/driver")" = "$SYS_PCI/drivers/$1" ]
}

# settle: wait until udev has handled all new and changed disks.
settle() {
	udevadm settle --timeout=60
}
