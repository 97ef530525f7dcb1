#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The parameter block_size: both block sizes work, and the module refuses any other value.
#
# config: cmb pmr
# guest: shared

load lib.bash

setup_file() {
	unload_driver
}

@test "a block size that is neither 512 nor 4096 refuses to load" {
	local size times=0
	for size in 0 1 513 1024 2048 8192 -512 4097 99999999999 4k x; do
		fails modprobe nvme_cmb block_size="$size"
		logged_times $((++times)) "invalid for parameter \`block_size'"
		[ ! -e /sys/module/nvme_cmb ]
	done
}

@test "blocks of 4096 bytes, by parameter" {
	load_driver block_size=4096
	[ "$(blockdev --getss "$DISK")" -eq 4096 ]
	[ "$(blockdev --getpbsz "$DISK")" -eq 4096 ]
	[ "$(blockdev --getsize64 "$DISK")" -eq "$DISK_SIZE" ]
	[ "$(cat /sys/module/nvme_cmb/parameters/block_size)" -eq 4096 ]
}

@test "the last block of 4096 bytes can be written and read" {
	ends_hold_data "$DISK"
}

@test "a direct read of less than a block is refused" {
	fails dd if="$DISK" bs=512 count=1 iflag=direct
}

@test "fio verifies blocks of 4096 bytes" {
	fio_verify "$DISK" 4k 64k 1m
}

@test "mkfs.ext4 and mount on blocks of 4096 bytes" {
	file_system_round_trip ext4 "$DISK" 4M
	unload_driver
}

@test "the driver has the parameters it documents, and no others" {
	[ "$(modinfo -F parm nvme_cmb | cut -d: -f1 | sort | xargs)" = \
	  "block_size copy pmem poll_queues staging" ]
}
