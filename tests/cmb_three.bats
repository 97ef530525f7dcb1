#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Several controllers: each has a disk of its own, and none affects the others.
#
# config: cmb-three

load lib.bash

setup_file() {
	load_driver
}

each_disk_holds() {
	local disk
	for disk in 0 1 2; do
		cmp <(pattern "$1 $disk" $((2 * MIB))) \
			<(dd if=/dev/nvme_cmb$disk bs=1M count=2 iflag=direct \
			  status=none)
	done
}

@test "disks of 2, 16 and 64 MiB, to the byte" {
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq $((2 * MIB)) ]
	[ "$(blockdev --getsize64 /dev/nvme_cmb1)" -eq $((16 * MIB)) ]
	[ "$(blockdev --getsize64 /dev/nvme_cmb2)" -eq $((64 * MIB)) ]
}

@test "the last block of each holds data" {
	ends_hold_data /dev/nvme_cmb0
	ends_hold_data /dev/nvme_cmb1
	ends_hold_data /dev/nvme_cmb2
}

@test "different data written to all three at once" {
	local disk
	local -a writers
	for disk in 0 1 2; do
		pattern "at once $disk" $((2 * MIB)) |
			dd of=/dev/nvme_cmb$disk bs=64k oflag=direct \
			iflag=fullblock status=none &
		writers+=($!)
	done
	wait "${writers[@]}"
	each_disk_holds "at once"
}

@test "fio verifies the three at once" {
	fio --direct=1 --rw=randwrite --bs=4k --size=2m --verify=crc32c \
		--verify_fatal=1 --ioengine=io_uring --iodepth=16 \
		--name=a --filename=/dev/nvme_cmb0 \
		--name=b --filename=/dev/nvme_cmb1 \
		--name=c --filename=/dev/nvme_cmb2
}

@test "the number of a disk that was removed is used again" {
	local -a functions
	mapfile -t functions < <(controllers)
	unbind "${functions[1]}"
	[ ! -e /dev/nvme_cmb1 ]
	[ -e /dev/nvme_cmb2 ]
	bind nvme_cmb "${functions[1]}"
	[ "$(disk_of "${functions[1]}")" = nvme_cmb1 ]
}

@test "the number of a disk that is still open is not used again" {
	local -a functions
	mapfile -t functions < <(controllers)
	exec 9</dev/nvme_cmb1
	unbind "${functions[1]}"
	bind nvme_cmb "${functions[1]}"
	[ "$(disk_of "${functions[1]}")" = nvme_cmb3 ]
	exec 9<&-
	unbind "${functions[1]}"
	bind nvme_cmb "${functions[1]}"
	[ "$(disk_of "${functions[1]}")" = nvme_cmb1 ]
}

@test "unbinding one does not change the data of the others" {
	local disk
	local -a functions
	mapfile -t functions < <(controllers)
	for disk in 0 1 2; do
		pattern "apart $disk" $((2 * MIB)) |
			dd of=/dev/nvme_cmb$disk bs=64k oflag=direct \
			iflag=fullblock status=none
	done
	unbind "${functions[0]}"
	bind nvme_cmb "${functions[0]}"
	each_disk_holds "apart"
}
