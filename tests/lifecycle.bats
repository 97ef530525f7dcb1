#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The driver is bound and unbound, and the module loaded and removed, many times, with and without
# users of the disk. Data stays, and nothing hangs.
#
# config: cmb pmr
# guest: shared

load lib.bash

TIMES=$(in_full 100 5)
TIMES_BUSY=$(in_full 20 3)

setup_file() {
	load_driver
	FUNCTION=$(controller)
	export FUNCTION
}

# keep_busy FILE: read and write the disk until FILE is removed. fio fails each time the disk is
# removed.
keep_busy() {
	while [ -e "$1" ]; do
		fio --name=busy --filename="/dev/$(disk_of "$FUNCTION")" \
			--rw=randrw --bs=16k --direct=1 \
			--ioengine=io_uring --iodepth=8 --time_based \
			--runtime=60 --allow_file_create=0 >/dev/null 2>&1 || true
	done
}

# under_load COMMAND...: run COMMAND while there is load on the disk.
under_load() {
	local busy=$BATS_TEST_TMPDIR/busy
	: >"$busy"
	keep_busy "$busy" 3>&- &
	background["load"]=$!
	"$@"
	rm "$busy"
	pkill -x fio || true
	wait "${background["load"]}"
	unset "background[load]"
}

# wait_for_load: a new disk has served more requests than udev's when this returns.
wait_for_load() {
	wait_for "load on the disk" served_more "$(disk_of "$FUNCTION")" 100
}

rebind() { # TIMES
	local i
	for ((i = 0; i < $1; i++)); do
		unbind_it
		bind_it
	done
}

unbind_it() {
	unbind "$FUNCTION"
}

bind_it() {
	bind nvme_cmb "$FUNCTION"
}

reload_busy() {
	local i
	for ((i = 0; i < $1; i++)); do
		wait_for_load
		# The module is in use as long as a disk is open.
		unbind "$(controller)"
		wait_for "the module to have no user" rmmod nvme_cmb
		modprobe nvme_cmb
	done
}

@test "one line in the log says size, BAR, access width and cost" {
	dmesg | grep -E "nvme_cmb [0-9a-f:.]+: $DISK_NAME: 16384 KiB in BAR $BAR\
 at offset 0x0, read by [a-z_]+ \(8 bytes in [0-9]+ ns\),\
 written by [a-z_]+ \(8 bytes in [0-9]+ ns\)"
}

@test "data is there after the module was reloaded" {
	pattern reload "$MIB" | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	unload_driver
	[ ! -e "$DISK" ]
	modprobe nvme_cmb
	cmp -n "$MIB" <(pattern reload "$MIB") "$DISK"
}

@test "unbound and bound many times" {
	rebind "$TIMES"
	echo "# $TIMES times" >&3
	ends_hold_data "$DISK"
}

@test "the module removed and loaded many times" {
	local i
	for ((i = 0; i < TIMES; i++)); do
		# udev may be reading the new disk.
		settle
		rmmod nvme_cmb
		modprobe nvme_cmb
	done
	echo "# $TIMES times" >&3
	ends_hold_data "$DISK"
}

@test "unbound and bound under load many times" {
	cycle_under_load "$TIMES_BUSY" unbind_it bind_it
	ends_hold_data "$DISK"
}

@test "the module removed and loaded under load many times" {
	under_load reload_busy "$TIMES_BUSY"
	echo "# $TIMES_BUSY times" >&3
	# The disk has another number if the load still had the last one open.
	rebind 1
	ends_hold_data "$DISK"
}

@test "the module cannot be removed while a disk is mounted" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	mkfs.ext4 -q "$DISK"
	mount "$DISK" "$mnt"
	fails rmmod nvme_cmb
	pattern mounted 100000 >"$mnt/file"
	sync
	cmp <(pattern mounted 100000) "$mnt/file"
	umount "$mnt"
}

@test "an opener of a disk that was unbound reads no bytes" {
	exec 9<"$DISK"
	unbind "$(controller)"
	run dd bs=4096 count=1 iflag=direct <&9
	exec 9<&-
	bind nvme_cmb "$(controller)"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"0+0 records in"* ]]
}

@test "a disk that is unbound while it is mounted can be unmounted" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	mkfs.ext4 -q "$DISK"
	mount "$DISK" "$mnt"
	unbind "$(controller)"
	fails dd if=/dev/zero of="$mnt/file" bs=4k count=1 conv=fsync
	umount "$mnt"
	bind nvme_cmb "$(controller)"
	[ -e "$DISK" ]
}

@test "the module's only alias is the id of QEMU's controller" {
	modinfo -F alias nvme_cmb
	[ "$(modinfo -F alias nvme_cmb)" = \
	  "pci:v00001B36d00000010sv*sd*bc*sc*i*" ]
}
