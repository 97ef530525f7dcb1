#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A memory of 1 GiB, which is large enough for xfs and btrfs.
#
# config: cmb-1g pmr-1g

load lib.bash

FILE_MIB=$(in_full 64 16)

setup_file() {
	load_driver
}

@test "1 GiB makes a disk of 1 GiB, to the byte" {
	[ "$(blockdev --getsize64 "$DISK")" -eq $((1024 * MIB)) ]
}

@test "its first and last blocks hold data" {
	ends_hold_data "$DISK"
}

@test "ext4 holds its data after an unmount" {
	file_system_round_trip ext4 "$DISK" "${FILE_MIB}M"
}

@test "xfs holds its data after an unmount" {
	file_system_round_trip xfs "$DISK" "${FILE_MIB}M"
}

@test "btrfs holds its data after an unmount" {
	[ "$KERNEL" != 6.12-debug ] || skip "built without btrfs"
	file_system_round_trip btrfs "$DISK" "${FILE_MIB}M"
}
