#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What a PMR outlives while QEMU runs; for the end of QEMU there is power_cut.t, for
# that of the guest reboot.t, and for its sleep suspend.t.
#
# config: pmr-root-port
# qemu: -smp 1
# guest: shared
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders while another
# one accesses a device.

load lib.bash

setup_file() {
	load_driver
}

# fill TEXT: what a test does before; intact TEXT: and after.
fill() {
	pattern "$1" "$MIB" | dd of="$DISK" bs=1M iflag=fullblock \
		conv=fsync status=none
}

intact() {
	blockdev --flushbufs "$DISK"
	cmp -n "$MIB" <(pattern "$1" "$MIB") "$DISK"
}

@test "a reset of the function" {
	fill "before FLR"
	reset_function
	intact "before FLR"
}

@test "removal and rescan" {
	fill "before removal"
	remove
	rescan
	intact "before removal"
}

@test "an unplug, as the memory that is plugged in again" {
	local function
	function=$(controller)
	fill "before unplug"
	unplug
	plug_in
	wait_for "a driver to have it" test -e "$SYS_PCI/devices/$function/driver"
	bind nvme_cmb "$function"
	settle
	intact "before unplug"
}
