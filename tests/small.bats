#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A memory of 1 MiB, which is smaller than any CMB that the stock driver takes
#
# config: cmb-1m pmr-1m

load lib.bash

@test "1 MiB makes a disk of 1 MiB" {
	load_driver
	[ "$(blockdev --getsize64 "$DISK")" -eq "$MIB" ]
	logged "$DISK_NAME: 1024 KiB in BAR $BAR at offset 0x0"
}

@test "its first and last blocks hold data" {
	ends_hold_data "$DISK"
}

@test "fio verifies it" {
	fio_verify "$DISK" 512 4k 64k
}

@test "with pmem=1, a PMR that libnvdimm cannot map is a disk, and the log says why" {
	[ "$KIND" = pmr ] || skip "libnvdimm gets no CMB"
	load_driver pmem=1
	logged "PMR stays a disk: libnvdimm maps multiples of 2048 KiB, and BAR 4 has 1024 KiB"
	ends_hold_data "$DISK"
	load_driver
}

@test "a file system fits" {
	file_system_round_trip ext4 "$DISK" 300K
}
