#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The disk returns the bytes that were written, and no others, for all kinds of requests.
#
# config: cmb pmr
# guest: shared

load lib.bash

QUEUE=/sys/block/$DISK_NAME/queue

setup_file() {
	load_driver
}

@test "the disk is as large as the memory, to the byte" {
	[ "$(blockdev --getsize64 "$DISK")" -eq "$DISK_SIZE" ]
}

@test "blocks are 512 bytes unless asked otherwise" {
	[ "$(blockdev --getss "$DISK")" -eq 512 ]
	[ "$(cat /sys/module/nvme_cmb/parameters/block_size)" -eq 512 ]
}

@test "it claims not to rotate, and a write cache where flushes persist" {
	[ "$(cat "$QUEUE/rotational")" -eq 0 ]
	case $KIND in
	cmb)	[ "$(cat "$QUEUE/write_cache")" = "write through" ]
		[ "$(cat "$QUEUE/fua")" -eq 0 ] ;;
	pmr)	[ "$(cat "$QUEUE/write_cache")" = "write back" ]
		[ "$(cat "$QUEUE/fua")" -eq 1 ] ;;
	esac
}

@test "the last block can be written and read" {
	ends_hold_data "$DISK"
}

@test "nothing can be read past the end" {
	run dd if="$DISK" bs=512 skip=$((DISK_SIZE / 512)) count=1 iflag=direct
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"0+0 records in"* ]]
}

@test "nothing can be written past the end, and the last block stays" {
	pattern last 512 | dd of="$DISK" bs=512 seek=$((DISK_SIZE / 512 - 1)) \
		oflag=direct status=none
	run dd if=/dev/zero of="$DISK" bs=512 seek=$((DISK_SIZE / 512)) count=1 \
		oflag=direct
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"No space left on device"* ]]
	run dd if=/dev/zero of="$DISK" bs=1M seek=$((DISK_SIZE / MIB - 1)) count=2 oflag=direct
	[ "$status" -ne 0 ]
	dd if=/dev/zero bs=512 count=1 status=none |
		cmp - <(dd if="$DISK" bs=512 skip=$((DISK_SIZE / 512 - 1)) \
			iflag=direct status=none)
}

@test "fio verifies every size, engine, depth and number of jobs" {
	fio_verify "$DISK" 512 4k 16k 64k 256k 1m 1028k 4m
}

@test "dd with odd sizes, through the page cache" {
	local size offset=12345
	for size in 1 511 513 4095 4097 65537 $((MIB + 1)) $((5 * MIB - 3)); do
		pattern "odd $size" $size | dd of="$DISK" bs=7777 seek=$offset \
			oflag=seek_bytes iflag=fullblock conv=fsync status=none
		blockdev --flushbufs "$DISK"
		cmp <(pattern "odd $size" $size) \
			<(tail -c +$((offset + 1)) "$DISK" | head -c $size)
	done
}

@test "dd with oflag=direct and with conv=fsync" {
	pattern direct $((3 * MIB)) | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	cmp -n $((3 * MIB)) <(pattern direct $((3 * MIB))) "$DISK"
	pattern fsync $((3 * MIB)) | dd of="$DISK" bs=64k conv=fsync \
		iflag=fullblock status=none
	dd if="$DISK" bs=1M count=3 iflag=direct status=none |
		cmp - <(pattern fsync $((3 * MIB)))
}

@test "a direct read that is no multiple of a block is refused" {
	fails dd if="$DISK" bs=100 count=1 iflag=direct
}

@test "blkdiscard zeroes exactly its range, at every size" {
	zeroes_holes "$DISK" blkdiscard
}

@test "write-zeroes zeroes exactly its range, at every size" {
	zeroes_holes "$DISK" blkdiscard --zeroout
}

@test "a whole disk can be discarded at once" {
	pattern whole "$DISK_SIZE" >"$DISK"
	blkdiscard --force "$DISK"
	cmp -n "$DISK_SIZE" "$DISK" /dev/zero
}

@test "a flush succeeds" {
	local write_cache
	write_cache=$(cat "$QUEUE/write_cache")
	# Newer kernels refuse this for a disk without a cache.
	echo "write back" >"$QUEUE/write_cache" || true
	dd if=/dev/zero of="$DISK" bs=4k count=1 conv=fsync status=none
	fio --name=flush --filename="$DISK" --rw=write --bs=4k --size=64k \
		--fsync=1 --verify=crc32c >/dev/null
	echo "$write_cache" >"$QUEUE/write_cache"
}

# reread_partitions: the kernel refuses this while a partition is open. udev opens a partition
# that was written to. It locks the disk meanwhile, and does not open one that is locked.
reread_partitions() {
	flock "$DISK" blockdev --rereadpt "$DISK"
	settle
}

@test "a partition table outlives a rescan" {
	printf '%s\n' 'label: gpt' 'size=4MiB' 'size=8MiB' |
		sfdisk --quiet --lock --wipe always "$DISK"
	settle
	pattern part2 8192 | dd of="${DISK}p2" bs=4k oflag=direct iflag=fullblock \
		status=none
	reread_partitions
	[ "$(blockdev --getsize64 "${DISK}p1")" -eq $((4 * MIB)) ]
	[ "$(blockdev --getsize64 "${DISK}p2")" -eq $((8 * MIB)) ]
	cmp -n 8192 <(pattern part2 8192) "${DISK}p2"
	wipefs --quiet --all "$DISK"
	reread_partitions
	[ ! -e "${DISK}p1" ]
}

@test "mkfs.ext4 and mount, as a user would type it" {
	file_system_round_trip ext4 "$DISK" 4M
}
