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
	local function
	function=$(controller)
	pattern rescan 1048576 | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	echo 1 >"$SYS_PCI/devices/$function/remove"
	settle
	[ ! -e "$DISK" ]
	echo 1 >"$SYS_PCI/rescan"
	# The stock driver is asked first, and takes it.
	bind nvme_cmb "$function"
	settle
	cmp -n 1048576 <(pattern rescan 1048576) "$DISK"
}
