#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A CMB as before NVMe 1.4: CMBLOC and CMBSZ are valid from the start, without CMBMSC. QEMU has
# this with legacy-cmb=on.
#
# config: cmb-legacy

load lib.bash

@test "the disk is as large as the CMB" {
	load_driver
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq "$DISK_SIZE" ]
}

@test "the disk holds data" {
	ends_hold_data /dev/nvme_cmb0
	fio_verify /dev/nvme_cmb0 4k 1m
}

@test "the disk holds data after the module was reloaded" {
	ends_hold_data /dev/nvme_cmb0
	unload_driver
	load_driver
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq "$DISK_SIZE" ]
	ends_hold_data /dev/nvme_cmb0
}
