#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Behind a root port, where controllers come and go.
#
# config: cmb-root-port pmr-root-port
# qemu: -smp 1
# guest: shared
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders, as Linux does
# to size a BAR, while another one accesses a device.

load lib.bash

@test "the disk is there and holds data" {
	load_driver
	ends_hold_data "$DISK"
	fio_verify "$DISK" 4k
}

@test "removed and rescanned in sysfs, it comes back with its data" {
	pattern rescan "$MIB" | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	remove
	rescan
	cmp -n "$MIB" <(pattern rescan "$MIB") "$DISK"
}

@test "removed and rescanned under load, time after time: not one wrong byte" {
	cycle_under_load "$(in_full 20 3)" remove rescan
	ends_hold_data "$DISK"
}
