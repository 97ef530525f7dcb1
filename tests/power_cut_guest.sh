#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: power_cut_guest.sh CYCLE CYCLES BLOCKS FILES
#
# The guest's part of power_cut.t, from one cut to the next: what was acknowledged
# before the last one, up to those BLOCKS and FILES, is there; and then write for ever,
# unless CYCLE is CYCLES.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

cycle=$1 cycles=$2 blocks=$3 files=$4
mnt=/mnt

# file_system CYCLE: the type, and the partition, of the one that is cut in that cycle.
file_system() {
	if (($1 % 2)); then type=xfs part=${DISK}p3; else type=ext4 part=${DISK}p2; fi
}

make_disk() {
	printf '%s\n' 'label: gpt' 'size=16MiB' 'size=400MiB' ',' |
		sfdisk --quiet --lock --wipe always "$DISK"
	settle
	mkfs.ext4 -q "${DISK}p2"
	mkfs.xfs -q "${DISK}p3"
}

# A mount replays the journal; what it leaves must need no repair.
check() {
	file_system $((cycle - 1))
	tests/records check blocks "${DISK}p1" "$blocks"
	mount -t "$type" "$part" "$mnt"
	tests/records check files "$mnt/$((cycle - 1))" "$files"
	umount "$mnt"
	# what udev has read of it meanwhile is old, and may still be cached
	settle
	blockdev --flushbufs "$part"
	case $type in
	ext4)	e2fsck -f -n "$part" ;;
	xfs)	xfs_repair -n "$part" ;;
	esac
	echo "clean: $type"
}

write() {
	file_system "$cycle"
	mount -t "$type" "$part" "$mnt"
	rm -rf "$mnt"/[0-9]*
	mkdir "$mnt/$cycle"
	sync
	exec 8>/dev/ttyS3
	stty raw <&8
	tests/records write blocks "${DISK}p1" "$blocks" >&8 &
	tests/records write files "$mnt/$cycle" 0 >&8 &
	# what nobody waits for, behind the blocks
	fio --name=load --filename="${DISK}p1" --offset=8m --size=8m --direct=1 \
		--rw=randwrite --bs=16k --rate=16m --time_based --runtime=1h &
	wait -n
	return 1
}

load_driver block_size=512
[ -e "${DISK}p1" ] || make_disk
((cycle == 0)) || check
((cycle == cycles)) || write
