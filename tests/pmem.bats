#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The PMR in the hands of libnvdimm: /dev/pmem0 instead of /dev/nvme_pmr0.
#
# config: cmb-pmr
# qemu: -smp 1
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders while another
# one accesses a device: udev reads what was written to.

load lib.bash

MNT=$BATS_FILE_TMPDIR/mnt

setup_file() {
	load_driver pmem=1
	mkdir "$MNT"
	# which libnvdimm makes when it likes
	wait_for_disk /dev/pmem0
}

@test "there is /dev/pmem0, no nvme_pmr0, and the CMB is a disk as ever" {
	[ -b /dev/pmem0 ]
	[ -z "$(find /dev -name 'nvme_pmr*')" ]
	[ "$(blockdev --getsize64 /dev/pmem0)" -eq "$DISK_SIZE" ]
	[ "$(cat /sys/block/pmem0/queue/write_cache)" = "write back" ]
	ends_hold_data /dev/nvme_cmb0
}

@test "fio verifies it" {
	fio_verify /dev/pmem0 4k 64k
}

@test "a file that was written through a mapping, with DAX, outlives a remount" {
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

# Else power_cut.t would not be known to find any
@test "a block that holds parts of two writes is found" {
	local i
	head -c "$BLOCK" /dev/zero | tr '\0' b >"$BATS_TEST_TMPDIR/b"
	tr '\0' a </dev/zero | dd of=/dev/pmem0 bs=64k oflag=direct iflag=fullblock status=none || true
	dd if="$BATS_TEST_TMPDIR/b" of=/dev/pmem0 bs=4k seek=7 oflag=direct status=none
	[ "$(torn_blocks /dev/pmem0)" -eq 0 ]
	# the beginning of one, the midst, and the end
	for i in 80 163 247; do
		dd if="$BATS_TEST_TMPDIR/b" of=/dev/pmem0 bs=512 count=1 seek=$i \
			oflag=direct status=none
	done
	[ "$(torn_blocks /dev/pmem0)" -eq 3 ]
}

@test "while libnvdimm has it rmmod is refused, also when nothing is mounted" {
	[ "$(cat /sys/module/nvme_cmb/refcnt)" -eq 1 ]
	LC_ALL=C fails rmmod nvme_cmb | grep "is in use"
	[ -b /dev/pmem0 ]
}

@test "it goes with the controller, and comes with it, also under a mount" {
	mkfs.ext4 -q -b 4096 /dev/pmem0
	mount /dev/pmem0 "$MNT"
	unbind "$(controller)"
	[ ! -e /dev/pmem0 ]
	umount "$MNT"
	bind nvme_cmb "$(controller)"
	wait_for_disk /dev/pmem0
}

@test "without the parameter it is a disk again, with its data" {
	pattern kept "$MIB" | dd of=/dev/pmem0 bs=64k oflag=direct conv=fsync \
		iflag=fullblock status=none
	load_driver
	[ ! -e /dev/pmem0 ]
	cmp -n "$MIB" <(pattern kept "$MIB") /dev/nvme_pmr0
}
