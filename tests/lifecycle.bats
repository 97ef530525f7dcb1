#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Coming and going: bound, unbound, loaded, removed, with and without users.
#
# config: cmb pmr
# guest: shared

load lib.bash

TIMES=$(in_full 100 12)
TIMES_BUSY=$(in_full 20 5)

setup_file() {
	load_driver
	FUNCTION=$(controller)
	export FUNCTION
}

# Reads and writes that fail when the disk goes, and stop when $1 is gone.
keep_busy() {
	while [ -e "$1" ]; do
		fio --name=busy --filename="/dev/$(disk_of "$FUNCTION")" \
			--rw=randrw --bs=16k --direct=1 \
			--ioengine=io_uring --iodepth=8 --time_based \
			--runtime=60 --allow_file_create=0 >/dev/null 2>&1 || true
	done
}

# under_load COMMAND...: while someone keeps the disk busy.
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

# Since the disk came it has served its load, too, and not only who looked at it.
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
		# A module in use stays: its disks go first.
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

@test "what was written is there after the module was reloaded" {
	pattern reload "$MIB" | dd of="$DISK" bs=64k oflag=direct \
		iflag=fullblock status=none
	unload_driver
	[ ! -e "$DISK" ]
	modprobe nvme_cmb
	cmp -n "$MIB" <(pattern reload "$MIB") "$DISK"
}

@test "unbound and bound, time after time" {
	rebind "$TIMES"
	echo "# $TIMES times" >&3
	ends_hold_data "$DISK"
}

@test "removed and inserted, time after time" {
	local i
	for ((i = 0; i < TIMES; i++)); do
		# udev may be reading the disk that just came.
		settle
		rmmod nvme_cmb
		modprobe nvme_cmb
	done
	echo "# $TIMES times" >&3
	ends_hold_data "$DISK"
}

@test "unbound and bound under load, time after time" {
	cycle_under_load "$TIMES_BUSY" unbind_it bind_it
	ends_hold_data "$DISK"
}

@test "removed and inserted under load, time after time" {
	under_load reload_busy "$TIMES_BUSY"
	echo "# $TIMES_BUSY times" >&3
	# the disk has another number if the load still had the last one open
	rebind 1
	ends_hold_data "$DISK"
}

@test "the module cannot be removed from under a mount" {
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

@test "an opener outlives the disk, and finds it empty" {
	exec 9<"$DISK"
	unbind "$(controller)"
	run dd bs=4096 count=1 iflag=direct <&9
	exec 9<&-
	bind nvme_cmb "$(controller)"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"0+0 records in"* ]]
}

@test "a mount outlives the disk, and is unmounted afterwards" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	mkfs.ext4 -q "$DISK"
	mount "$DISK" "$mnt"
	unbind "$(controller)"
	fails dd if=/dev/zero of="$mnt/file" bs=4k count=1 conv=fsync
	umount "$mnt"
	bind nvme_cmb "$(controller)"
	settle
	[ -e "$DISK" ]
}

@test "the module's alias is QEMU's controller, and no class" {
	modinfo -F alias nvme_cmb
	[ "$(modinfo -F alias nvme_cmb)" = \
	  "pci:v00001B36d00000010sv*sd*bc*sc*i*" ]
}
