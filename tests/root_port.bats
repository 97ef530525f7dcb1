#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Behind a root port, where controllers come and go.
#
# config: cmb-root-port pmr-root-port

load lib.bash

@test "the disk is there and holds data" {
	load_driver
	ends_hold_data "$DISK"
	fio_verify "$DISK" 4k
}

@test "removed and rescanned in sysfs, it comes back with its data" {
	pattern rescan 1048576 | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	remove_and_rescan
	cmp -n 1048576 <(pattern rescan 1048576) "$DISK"
}
