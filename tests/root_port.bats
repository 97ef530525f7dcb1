#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A controller behind a root port: it can be removed and found again in sysfs, also under load.
#
# config: cmb-root-port pmr-root-port
# qemu: -smp 1
# guest: shared
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding, as Linux
# does to size a BAR, while another one accesses a device.

load lib.bash

@test "the disk is there and holds data" {
	load_driver
	ends_hold_data "$DISK"
	fio_verify "$DISK" 4k
}

@test "after a remove and rescan in sysfs the disk has its data" {
	pattern rescan "$MIB" | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	remove
	rescan
	cmp -n "$MIB" <(pattern rescan "$MIB") "$DISK"
}

@test "removed and rescanned under load many times: no wrong byte" {
	cycle_under_load "$(in_full 20 3)" remove rescan
	ends_hold_data "$DISK"
}
