#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# ACPI hot-plug: the controller is unplugged and plugged in again while the disk is in use.
# Requests fail then, no data is wrong, and openers and mounts can be closed.
#
# config: cmb-root-port pmr-root-port
# append: initcall_blacklist=nvme_init
# qemu: -smp 1
#
# The stock driver is not there, because Linux would try it first for a new controller. The guest
# has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while another one
# accesses a device.

load lib.bash

setup_file() {
	load_driver
}

plug_and_check() {
	plug_in_disk
	check_replugged
}

@test "unplugged under load: errors, and no wrong byte" {
	cycle_under_load "$(in_full 40 7)" unplug plug_and_check
}

# fio does not verify here. If a disk loses its size, fio would also verify blocks that it could
# not read. The test above verifies data.
@test "unplugged under each of fio's engines: fio ends with errors" {
	local i times engine begin slowest=0 engines=(psync libaio io_uring)
	times=$(in_full 10 3)
	for ((i = 0; i < times; i++)); do
		engine=${engines[i % 3]}
		fio --name=load --filename="$DISK" --direct=1 --bs=16k \
			--rw=randrw --ioengine="$engine" --iodepth=16 \
			--time_based --runtime=300 --allow_file_create=0 \
			>"$BATS_TEST_TMPDIR/fio" 2>&1 3>&- &
		wait_for_io "$DISK_NAME"
		unplug
		begin=$SECONDS
		fails wait $!
		slowest=$((SECONDS - begin > slowest ? SECONDS - begin : slowest))
		plug_and_check
	done
	note "$times unplugs under ${engines[*]}, after which fio took $slowest s"
}

mapped() { # FILE
	grep -qs "$1" /proc/[0-9]*/maps
}

# outlived TYPE: unplug the disk under a file system with an open file and a mapped one. All
# accesses to the disk fail, and the file system can be unmounted.
outlived() {
	local mnt=$BATS_TEST_TMPDIR/mnt begin
	mkdir -p "$mnt"
	case $1 in
	ext4)	mkfs.ext4 -q "$DISK" ;;
	xfs)	mkfs.xfs -q -f --unsupported "$DISK" ;;
	esac
	mount "$DISK" "$mnt"
	pattern "$1" "$MIB" >"$mnt/file"
	sync "$mnt/file"
	exec 9<>"$mnt/file"
	fio --name=mapped --filename="$mnt/mapped" --ioengine=mmap --size=2m \
		--rw=randrw --time_based --runtime=300 \
		>"$BATS_TEST_TMPDIR/fio" 2>&1 3>&- &
	wait_for "the mapping" mapped "$mnt/mapped"
	unplug
	begin=$SECONDS
	fails dd if=/dev/zero of="$mnt/new" bs=4k count=1 conv=fsync
	fails dd if=/dev/zero bs=4k count=1 conv=fsync,notrunc status=none >&9
	fails dd if="$mnt/file" of=/dev/null bs=64k iflag=direct
	exec 9>&-
	# Pages in the page cache are still mapped. For others fio may have got a SIGBUS.
	kill $! || true
	wait $! || true
	umount "$mnt"
	note "$1: errors, and unmounted, within $((SECONDS - begin)) s"
	plug_and_check
	ends_hold_data "$DISK"
}

@test "a mounted ext4 can be unmounted after its disk was unplugged" {
	outlived ext4
}

@test "a mounted xfs can be unmounted after its disk was unplugged" {
	outlived xfs
}

@test "an opener of a disk that was unplugged reads no bytes" {
	exec 9<>"$DISK"
	unplug
	head -c 1 <&9 >"$BATS_TEST_TMPDIR/read"
	[ ! -s "$BATS_TEST_TMPDIR/read" ]
	fails dd if=/dev/zero bs=4k count=1 conv=fsync,notrunc status=none >&9
	exec 9>&-
	plug_in_disk
	fio_verify "$DISK" 4k
}
