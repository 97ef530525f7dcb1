#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The smallest PMR, which is one block of 4 KiB
#
# config: pmr-4k

load lib.bash

@test "4 KiB make a disk of one block of 4 KiB, or of eight of 512 bytes" {
	local size
	for size in 512 4096; do
		load_driver block_size=$size
		[ "$(blockdev --getsize64 "$DISK")" -eq 4096 ]
		[ "$(blockdev --getss "$DISK")" -eq $size ]
		pattern "of $size" 4096 |
			dd of="$DISK" bs=$size oflag=direct iflag=fullblock status=none
		unload_driver
	done
	load_driver
	cmp <(pattern "of 4096" 4096) "$DISK"
}

@test "with pmem=1 it is a disk, because libnvdimm cannot map it" {
	load_driver pmem=1
	logged "PMR stays a disk: libnvdimm maps multiples of 2048 KiB, and BAR 4 has 4 KiB"
	cmp <(pattern "of 4096" 4096) "$DISK"
	load_driver
}

@test "nothing can be written past its end" {
	run dd if=/dev/zero of="$DISK" bs=4096 count=2 oflag=direct
	[ "$status" -ne 0 ]
	[[ "$output" == *"No space left on device"* ]]
}

@test "all of it can be discarded" {
	pattern whole 4096 | dd of="$DISK" conv=fsync status=none
	blkdiscard --force "$DISK"
	cmp -n 4096 "$DISK" /dev/zero
}
