#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What a PMR's disk has that no other has.
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

# pmr ADDRESS [VALUE]: 32 bits of it, past the driver.
pmr() {
	local base
	base=$(bar 4 "$(controller)")
	busybox devmem $((base + $1)) 32 "${@:2}"
}

@test "the PMR is enabled while it is a disk, and no longer" {
	[ $(($(register "$REG_PMRCTL"))) -eq 0 ]
	bind nvme_cmb "$(controller)"
	grep -A1 PMRCTL "$DEBUGFS/registers" | grep -E 'EN +0x1'
	unbind "$(controller)"
	[ $(($(register "$REG_PMRCTL"))) -eq 0 ]
}

@test "one that was found enabled stays so, and the disk is its memory" {
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

@test "what the routines are is in pmr/, and there is no cmb/" {
	bind nvme_cmb "$(controller)"
	[ "$(ls "/sys/block/$DISK_NAME/pmr")" = \
	  $'copy_read\ncopy_write\nread_access_ps\nwrite_access_ps' ]
	[ ! -e "/sys/block/$DISK_NAME/cmb" ]
}

@test "a file system on it is as it was left" {
	ends_hold_data "$DISK"
	file_system_round_trip ext4 "$DISK" 4M
}
