#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The routines that copy: each moves the same bytes, and the cheapest is chosen.
#
# config: cmb

load lib.bash

DISK=/dev/nvme_cmb0
CMB=/sys/block/nvme_cmb0/cmb

setup_file() {
	modprobe -r nvme_cmb
}

width() { # ROUTINE
	if [ "$1" = memcpy_io ]; then echo 4; else echo 8; fi
}

@test "a routine that does not exist refuses to load" {
	local name
	for name in "" x loops movsb LOOP "loop movsq"; do
		fails modprobe nvme_cmb copy="$name"
		logged "invalid for parameter \`copy'"
		[ ! -e /sys/module/nvme_cmb ]
	done
}

@test "each routine moves the bytes, and is what the parameter said" {
	local name
	for name in loop movsq memcpy_io; do
		load_driver copy=$name
		[ "$(cat /sys/module/nvme_cmb/parameters/copy)" = $name ]
		[ "$(cat $CMB/copy_read)" = $name ]
		[ "$(cat $CMB/copy_write)" = $name ]
		dmesg | tail -n 1 | grep -F "read by $name ($(width $name) bytes in"
		fio_verify $DISK 512 4k 1m
		zeroes_a_hole $DISK blkdiscard
		unload_driver
	done
}

@test "left alone, it takes one of eight bytes, not memcpy_io of four" {
	load_driver
	[ "$(cat /sys/module/nvme_cmb/parameters/copy)" = auto ]
	[[ "$(cat $CMB/copy_read)" =~ ^(loop|movsq)$ ]]
	[[ "$(cat $CMB/copy_write)" =~ ^(loop|movsq)$ ]]
}

@test "what an access costs is in sysfs, as in the log" {
	local read_ps write_ps
	read_ps=$(cat $CMB/read_access_ps)
	write_ps=$(cat $CMB/write_access_ps)
	echo "read $read_ps ps, write $write_ps ps"
	[ "$read_ps" -gt 0 ]
	[ "$write_ps" -gt 0 ]
	dmesg | grep -F "read by $(cat $CMB/copy_read) (8 bytes in\
 $(((read_ps + 500) / 1000)) ns), written by $(cat $CMB/copy_write) (8 bytes in\
 $(((write_ps + 500) / 1000)) ns)"
}

@test "measuring leaves the bytes as they were" {
	pattern measured 65536 | dd of=$DISK bs=64k oflag=direct \
		iflag=fullblock status=none
	unload_driver
	load_driver
	cmp -n 65536 <(pattern measured 65536) $DISK
}
