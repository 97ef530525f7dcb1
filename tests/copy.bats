#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The copy routines: each copies the right bytes, and the driver chooses the cheapest one.
#
# config: cmb pmr
# guest: shared

load lib.bash

COPY=/sys/block/$DISK_NAME/$KIND
ROUTINES='loop unrolled movsq memcpy_io'
[ "$KIND" = cmb ] || ROUTINES+=' memcpy'

setup_file() {
	unload_driver
}

width() { # ROUTINE
	if [ "$1" = memcpy_io ]; then echo 4; else echo 8; fi
}

@test "a routine that does not exist refuses to load" {
	local name times=0
	for name in "" x loops movsb LOOP "loop movsq"; do
		fails modprobe nvme_cmb copy="$name"
		logged_times $((++times)) "invalid for parameter \`copy'"
		[ ! -e /sys/module/nvme_cmb ]
	done
}

@test "each routine copies the right bytes, and is the one of the parameter" {
	local name
	for name in $ROUTINES; do
		load_driver copy="$name"
		[ "$(cat /sys/module/nvme_cmb/parameters/copy)" = "$name" ]
		[ "$(cat "$COPY/copy_read")" = "$name" ]
		[ "$(cat "$COPY/copy_write")" = "$name" ]
		logged "read by $name ($(width "$name") bytes in"
		fio_verify "$DISK" 512 1m
		zeroes_holes "$DISK" blkdiscard
		unload_driver
	done
}

# measured: the chosen routines are ones that a measurement can choose. An access to a CMB costs
# the same for four bytes as for eight, so memcpy_io is never the cheapest there.
measured() {
	local name
	for name in "$(cat "$COPY/copy_read")" "$(cat "$COPY/copy_write")"; do
		[[ " $ROUTINES " == *" $name "* ]]
		[ "$KIND" = pmr ] || [ "$name" != memcpy_io ]
	done
}

@test "memcpy is for a PMR only: for a CMB the driver measures" {
	load_driver copy=memcpy
	[ "$(cat /sys/module/nvme_cmb/parameters/copy)" = memcpy ]
	measured
	[ "$KIND" = cmb ] || [ "$(cat "$COPY/copy_read")" = memcpy ]
	unload_driver
}

@test "without the parameter the driver measures, and takes 8 bytes for a CMB" {
	load_driver
	[ "$(cat /sys/module/nvme_cmb/parameters/copy)" = auto ]
	measured
}

@test "the cost of an access in sysfs is the one in the log" {
	local read_ps write_ps read write
	read_ps=$(cat "$COPY/read_access_ps")
	write_ps=$(cat "$COPY/write_access_ps")
	echo "read $read_ps ps, write $write_ps ps"
	[ "$read_ps" -gt 0 ]
	[ "$write_ps" -gt 0 ]
	read=$(cat "$COPY/copy_read")
	write=$(cat "$COPY/copy_write")
	dmesg | grep -F "read by $read ($(width "$read") bytes in\
 $(((read_ps + 500) / 1000)) ns), written by $write ($(width "$write") bytes in\
 $(((write_ps + 500) / 1000)) ns)"
}

@test "a measurement does not change the data" {
	local size=65536
	pattern measured "$size" | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	unload_driver
	load_driver
	cmp -n "$size" <(pattern measured "$size") "$DISK"
}
