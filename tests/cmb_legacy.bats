#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# legacy-cmb=on: CMBLOC and CMBSZ are there from the start, as before NVMe 1.4.
#
# config: cmb-legacy

load lib.bash

@test "the disk is as large as the CMB" {
	load_driver
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq "$DISK_SIZE" ]
}

@test "it holds data" {
	ends_hold_data /dev/nvme_cmb0
	fio_verify /dev/nvme_cmb0 4k 1m
}

@test "it does so again after a reload" {
	ends_hold_data /dev/nvme_cmb0
	unload_driver
	load_driver
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq "$DISK_SIZE" ]
	ends_hold_data /dev/nvme_cmb0
}
