#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A controller with both memories has two disks. They have the same number, and share no byte.
#
# config: cmb-pmr

load lib.bash

setup_file() {
	load_driver
}

disks() {
	disk_of "$(controller)" | xargs
}

@test "each memory is a disk of its size, to the byte" {
	[ "$(disks)" = "nvme_cmb0 nvme_pmr0" ]
	[ "$(blockdev --getsize64 "$CMB")" -eq "$DISK_SIZE" ]
	[ "$(blockdev --getsize64 "$PMR")" -eq "$DISK_SIZE" ]
	dmesg | grep "nvme_cmb0: 16384 KiB in BAR 2 at offset 0x0"
	dmesg | grep "nvme_pmr0: 16384 KiB in BAR 4 at offset 0x0"
}

@test "only the PMR claims a write cache" {
	[ "$(cat /sys/block/nvme_cmb0/queue/write_cache)" = "write through" ]
	[ "$(cat /sys/block/nvme_pmr0/queue/write_cache)" = "write back" ]
}

@test "each disk holds its own data" {
	local disk
	for disk in "$CMB" "$PMR"; do
		pattern "all of $disk" "$DISK_SIZE" | dd of="$disk" bs=1M \
			oflag=direct iflag=fullblock status=none
	done
	for disk in "$CMB" "$PMR"; do
		cmp -n "$DISK_SIZE" <(pattern "all of $disk" "$DISK_SIZE") \
			<(dd if="$disk" bs=1M iflag=direct status=none)
	done
}

@test "fio verifies the two at once" {
	fio --direct=1 --rw=randwrite --bs=4k --size=8m --verify=crc32c \
		--verify_fatal=1 --ioengine=io_uring --iodepth=16 \
		--name=cmb --filename="$CMB" --name=pmr --filename="$PMR"
}

@test "their number is used again when both are closed, and not before" {
	local disk
	for disk in "$CMB" "$PMR"; do
		exec 9<"$disk"
		unbind "$(controller)"
		bind nvme_cmb "$(controller)"
		[ "$(disks)" = "nvme_cmb1 nvme_pmr1" ]
		exec 9<&-
		unbind "$(controller)"
		bind nvme_cmb "$(controller)"
		[ "$(disks)" = "nvme_cmb0 nvme_pmr0" ]
	done
}

@test "both hold what was written after the module was reloaded" {
	local disk
	for disk in "$CMB" "$PMR"; do
		pattern "kept in $disk" "$MIB" | dd of="$disk" bs=64k oflag=direct \
			iflag=fullblock status=none
	done
	unload_driver
	[ ! -e "$CMB" ]
	[ ! -e "$PMR" ]
	load_driver
	for disk in "$CMB" "$PMR"; do
		cmp -n "$MIB" <(pattern "kept in $disk" "$MIB") "$disk"
	done
}
