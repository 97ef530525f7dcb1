#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: power_cut_guest.sh CYCLE CYCLES BLOCKS FILES [btt]
#
# The guest's part of power_cut.t, from one power cut to the next. Check the records that were
# acknowledged before the last cut, up to the numbers BLOCKS and FILES. Then write until the next
# cut, unless CYCLE is CYCLES.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

# The first two partitions are for records and for blocks that may be torn. The others have file
# systems.
readonly RECORDS_MIB=4 TORN_MIB=4

cycle=$1 cycles=$2 blocks=$3 files=$4 btt=${5-}
mnt=/mnt

# file_system CYCLE: set type and part to the file system and partition of that cycle. The disk of
# a BTT is too small for xfs.
file_system() {
	if (($1 % 2)) && [[ ! $btt ]]; then type=xfs part=${parts}4; else type=ext4 part=${parts}3; fi
}

find_disk() {
	if [[ ! $btt ]]; then
		load_driver block_size=512
		parts=${DISK}p
		return
	fi
	load_driver pmem=1
	if ((cycle == 0)); then
		wait_for_disk /dev/pmem0
		ndctl create-namespace --force --reconfig namespace0.0 --mode sector
	fi
	DISK=/dev/pmem0s parts=/dev/pmem0s
	wait_for_disk "$DISK"
}

make_disk() {
	local sizes=("size=${RECORDS_MIB}MiB" "size=${TORN_MIB}MiB" 'size=400MiB' ',')
	[[ ! $btt ]] || sizes=("size=${RECORDS_MIB}MiB" "size=${TORN_MIB}MiB" ',')
	printf '%s\n' 'label: gpt' "${sizes[@]}" | sfdisk --quiet --lock --wipe always "$DISK"
	settle
	mkfs.ext4 -q "${parts}3"
	[[ $btt ]] || mkfs.xfs -q "${parts}4"
}

# may_be_torn: true if fio has written to the partition of blocks that may be torn.
may_be_torn() {
	! dd if="${parts}2" bs=1M count=$TORN_MIB iflag=direct status=none |
		cmp -s -n $((TORN_MIB * MIB)) - /dev/zero
}

# check: check all records and the file system. The mount replays the journal. After that the file
# system must not need a repair.
check() {
	file_system $((cycle - 1))
	tests/records check blocks "${parts}1" "$blocks"
	may_be_torn
	echo "checked: torn=$(torn_blocks "${parts}2")"
	mount -t "$type" "$part" "$mnt"
	tests/records check files "$mnt/$((cycle - 1))" "$files"
	umount "$mnt"
	# The page cache may hold old blocks, which udev has read in the meantime.
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
	# Load without fsync, so that most cuts are in the middle of a copy
	dd if=/dev/zero of="${parts}2" bs=1M count=$TORN_MIB oflag=direct status=none
	fio --filename="${parts}2" --direct=1 --rw=randwrite --norandommap --bs=1m \
		--time_based --runtime=1h --name=a --buffer_pattern=0xaa --name=b --buffer_pattern=0xbb >/dev/null &
	wait_for "fio to write" may_be_torn
	nice tests/records write blocks "${parts}1" "$blocks" >&8 &
	nice tests/records write files "$mnt/$cycle" 0 >&8 &
	wait -n
	return 1
}

find_disk
[ -e "${parts}1" ] || make_disk
((cycle == 0)) || check
((cycle == cycles)) || write
