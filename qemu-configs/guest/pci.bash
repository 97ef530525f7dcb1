# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Which driver has which PCI function: for all scripts that run in the guest.

SYS_PCI=/sys/bus/pci

# controllers: the NVMe functions, in bus order, one a line.
controllers() {
	local dev class
	for dev in "$SYS_PCI"/devices/*; do
		read -r class <"$dev/class"
		[ "$class" != 0x010802 ] || echo "${dev##*/}"
	done
}

# bind DRIVER FUNCTION: take it from the driver that has it, and give it to DRIVER. False if
# that does not take it.
bind() {
	local dev=$SYS_PCI/devices/$2
	unbind "$2"
	echo "$1" >"$dev/driver_override"
	echo "$2" >"$SYS_PCI/drivers_probe"
	settle
	bound "$1" "$2"
}

# unbind FUNCTION...: if a driver has it. udev reads a disk that has come, and holds its
# number for as long: wait for it, so that the next disk gets the number that is expected.
unbind() {
	local function driver
	for function; do
		driver=$SYS_PCI/devices/$function/driver
		[ ! -e "$driver" ] || echo "$function" >"$driver/unbind"
	done
	settle
}

# bound DRIVER FUNCTION
bound() {
	[ "$(readlink -f "$SYS_PCI/devices/$2/driver")" = "$SYS_PCI/drivers/$1" ]
}

# settle: udev has read what it wants from disks that came or changed.
settle() {
	udevadm settle --timeout=60
}
