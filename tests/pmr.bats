#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Properties that only a PMR's disk has: the driver enables the PMR and leaves it as it was found,
# and the memory keeps its data.
#
# config: pmr pmr-ram

load lib.bash

# Two places in the PMR
readonly READ_AT=0x5000 WRITTEN_AT=0x6000
DEBUGFS=/sys/kernel/debug/nvme_cmb/$DISK_NAME

setup_file() {
	modprobe nvme_cmb
	unbind "$(controller)"
}

# pmr OFFSET [VALUE]: read or write 32 bits of the PMR, without the driver.
pmr() {
	local base
	base=$(bar 4 "$(controller)")
	busybox devmem $((base + $1)) 32 "${@:2}"
}

@test "the PMR is enabled only while it is a disk" {
	[ $(($(register "$REG_PMRCTL"))) -eq 0 ]
	bind nvme_cmb "$(controller)"
	grep -A1 PMRCTL "$DEBUGFS/registers" | grep -E 'EN +0x1'
	unbind "$(controller)"
	[ $(($(register "$REG_PMRCTL"))) -eq 0 ]
}

@test "a PMR that was enabled before stays enabled, and the disk is its memory" {
	register "$REG_PMRCTL" 32 "$ENABLED"
	pmr $READ_AT 0x01234567
	bind nvme_cmb "$(controller)"
	[ "$(od -An -tx4 -j $READ_AT -N 4 "$DISK")" = " 01234567" ]
	printf '\x10\x32\x54\x76' | dd of="$DISK" bs=4 seek=$((WRITTEN_AT / 4)) \
		conv=fsync status=none
	unbind "$(controller)"
	[ $(($(register "$REG_PMRCTL"))) -eq "$ENABLED" ]
	[ "$(pmr $WRITTEN_AT)" = 0x76543210 ]
	register "$REG_PMRCTL" 32 0
	[ "$(pmr $WRITTEN_AT)" = 0x00000000 ]
}

@test "the copy routines are in pmr/ in sysfs, and there is no cmb/" {
	bind nvme_cmb "$(controller)"
	[ "$(ls "/sys/block/$DISK_NAME/pmr")" = \
	  $'copy_read\ncopy_write\nread_access_ps\nwrite_access_ps' ]
	[ ! -e "/sys/block/$DISK_NAME/cmb" ]
}

@test "a file system holds its data after an unmount" {
	ends_hold_data "$DISK"
	file_system_round_trip ext4 "$DISK" 4M
}
