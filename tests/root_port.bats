#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Behind a root port, where controllers come and go.
#
# config: cmb-root-port pmr-root-port
# qemu: -smp 1
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders, as Linux does
# to size a BAR, while another one accesses a device.

load lib.bash

@test "the disk is there and holds data" {
	load_driver
	ends_hold_data "$DISK"
	fio_verify "$DISK" 4k
}

@test "removed and rescanned in sysfs, it comes back with its data" {
	pattern rescan 1048576 | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	remove
	find_again
	cmp -n 1048576 <(pattern rescan 1048576) "$DISK"
}

@test "removed and rescanned under load, time after time: not one wrong byte" {
	local i times failed=0 verified=0
	times=$(in_full 20 3)
	for ((i = 0; i < times; i++)); do
		start_stamp "$DISK_NAME"
		serve_some "$DISK_NAME"
		remove
		stop_stamp "$DISK_NAME"
		failed=$((failed + $(stamp_count "$DISK_NAME" failed_reads) +
			$(stamp_count "$DISK_NAME" failed_writes)))
		verified=$((verified + $(stamp_count "$DISK_NAME" verified)))
		[ "$(stamp_count "$DISK_NAME" unread)" -eq 4096 ]
		find_again
	done
	note "$times times, $failed requests failed, $verified bytes verified"
	[ "$failed" -gt "$times" ]
	ends_hold_data "$DISK"
}
