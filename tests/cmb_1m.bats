#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A CMB that the stock driver is too coarse for.
#
# config: cmb-1m

load lib.bash

@test "a CMB of 1 MiB, which is less than the stock driver takes" {
	load_driver
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq 1048576 ]
	logged "nvme_cmb0: 1024 KiB in BAR 2 at offset 0x0"
}

@test "its first and last blocks hold data" {
	ends_hold_data /dev/nvme_cmb0
}

@test "fio verifies it" {
	fio_verify /dev/nvme_cmb0 512 4k 64k
}

@test "a file system fits" {
	file_system_round_trip ext4 /dev/nvme_cmb0 0
}
