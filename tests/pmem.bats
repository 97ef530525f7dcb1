#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# pmem=1: the driver gives the PMR to libnvdimm, so that there is /dev/pmem0 with DAX instead of
# /dev/nvme_pmr0.
#
# config: cmb-pmr
# qemu: -smp 1
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while
# another one accesses a device. udev reads a disk that was written to.

load lib.bash

MNT=$BATS_FILE_TMPDIR/mnt

setup_file() {
	load_driver pmem=1
	mkdir "$MNT"
	# libnvdimm makes the disk in a worker.
	wait_for_disk /dev/pmem0
}

@test "there is /dev/pmem0, no nvme_pmr0, and the CMB is a disk" {
	[ -b /dev/pmem0 ]
	[ -z "$(find /dev -name 'nvme_pmr*')" ]
	[ "$(blockdev --getsize64 /dev/pmem0)" -eq "$DISK_SIZE" ]
	[ "$(cat /sys/block/pmem0/queue/write_cache)" = "write back" ]
	ends_hold_data /dev/nvme_cmb0
}

@test "fio verifies it" {
	fio_verify /dev/pmem0 4k 64k
}

@test "a file that was written through a mapping with DAX is there after a remount" {
	[ "$(cat /sys/block/pmem0/queue/dax)" -eq 1 ]
	mkfs.ext4 -q -b 4096 /dev/pmem0
	mount -o dax /dev/pmem0 "$MNT"
	grep -E "^/dev/pmem0 .*\bdax" /proc/mounts
	fio --name=map --filename="$MNT/file" --ioengine=mmap --rw=randwrite \
		--bs=4k --size=4m --verify=crc32c --do_verify=0 --end_fsync=1 \
		>/dev/null
	umount "$MNT"
	mount -o dax /dev/pmem0 "$MNT"
	fio --name=map --filename="$MNT/file" --ioengine=mmap --rw=randwrite \
		--bs=4k --size=4m --verify=crc32c --verify_only --verify_fatal=1 \
		>/dev/null
	umount "$MNT"
	e2fsck -f -n /dev/pmem0
}

# power_cut.t relies on torn_blocks to find such blocks.
@test "torn_blocks counts blocks that hold parts of two writes" {
	local i
	head -c "$BLOCK" /dev/zero | tr '\0' b >"$BATS_TEST_TMPDIR/b"
	tr '\0' a </dev/zero | dd of=/dev/pmem0 bs=64k oflag=direct iflag=fullblock status=none || true
	dd if="$BATS_TEST_TMPDIR/b" of=/dev/pmem0 bs=4k seek=7 oflag=direct status=none
	[ "$(torn_blocks /dev/pmem0)" -eq 0 ]
	# One sector at the beginning of a block, one in the middle, and one at the end
	for i in 80 163 247; do
		dd if="$BATS_TEST_TMPDIR/b" of=/dev/pmem0 bs=512 count=1 seek=$i \
			oflag=direct status=none
	done
	[ "$(torn_blocks /dev/pmem0)" -eq 3 ]
}

@test "while libnvdimm has the PMR rmmod is refused, also if nothing is mounted" {
	[ "$(cat /sys/module/nvme_cmb/refcnt)" -eq 1 ]
	LC_ALL=C fails rmmod nvme_cmb | grep "is in use"
	[ -b /dev/pmem0 ]
}

@test "/dev/pmem0 is removed by an unbind, also while it is mounted, and added by a bind" {
	mkfs.ext4 -q -b 4096 /dev/pmem0
	mount /dev/pmem0 "$MNT"
	unbind "$(controller)"
	[ ! -e /dev/pmem0 ]
	umount "$MNT"
	bind nvme_cmb "$(controller)"
	wait_for_disk /dev/pmem0
}

@test "without the parameter the PMR is a disk again, with its data" {
	pattern kept "$MIB" | dd of=/dev/pmem0 bs=64k oflag=direct conv=fsync \
		iflag=fullblock status=none
	load_driver
	[ ! -e /dev/pmem0 ]
	cmp -n "$MIB" <(pattern kept "$MIB") /dev/nvme_pmr0
}
