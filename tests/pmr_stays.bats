#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Data in a PMR is there after a reset, a removal and an unplug. power_cut.t tests the end of QEMU,
# reboot.t a reboot of the guest, and suspend.t sleep.
#
# config: pmr-root-port
# qemu: -smp 1
# guest: shared
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while
# another one accesses a device.

load lib.bash

setup_file() {
	load_driver
}

# fill TEXT writes data that depends on TEXT, and intact TEXT checks it.
fill() {
	pattern "$1" "$MIB" | dd of="$DISK" bs=1M iflag=fullblock \
		conv=fsync status=none
}

intact() {
	blockdev --flushbufs "$DISK"
	cmp -n "$MIB" <(pattern "$1" "$MIB") "$DISK"
}

@test "data is there after a reset of the function" {
	fill "before FLR"
	reset_function
	intact "before FLR"
}

@test "data is there after removal and rescan" {
	fill "before removal"
	remove
	rescan
	intact "before removal"
}

@test "data is there after an unplug, if the same memory is plugged in again" {
	local function
	function=$(controller)
	fill "before unplug"
	unplug
	plug_in
	wait_for "a driver to have it" test -e "$SYS_PCI/devices/$function/driver"
	bind nvme_cmb "$function"
	intact "before unplug"
}
