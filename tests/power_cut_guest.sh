#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: power_cut_guest.sh CYCLE CYCLES BLOCKS FILES [btt]
#
# The guest's part of power_cut.t, from one cut to the next: what was acknowledged
# before the last one, up to those BLOCKS and FILES, is there; and then write for ever,
# unless CYCLE is CYCLES.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

# The partitions: of records' blocks, and of blocks that may be torn. File systems follow.
readonly RECORDS_MIB=4 TORN_MIB=4

cycle=$1 cycles=$2 blocks=$3 files=$4 btt=${5-}
mnt=/mnt

# file_system CYCLE: the type, and the partition, of the one that is cut in that cycle. What
# has a BTT is too small for xfs.
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

# may_be_torn: there is something to be torn.
may_be_torn() {
	! dd if="${parts}2" bs=1M count=$TORN_MIB iflag=direct status=none |
		cmp -s -n $((TORN_MIB * MIB)) - /dev/zero
}

# A mount replays the journal; what it leaves must need no repair.
check() {
	file_system $((cycle - 1))
	tests/records check blocks "${parts}1" "$blocks"
	may_be_torn
	echo "checked: torn=$(torn_blocks "${parts}2")"
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
	# what nobody waits for, and may tear: most cuts are to be in the midst of a copy
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
