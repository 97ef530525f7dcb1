#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Names that last: the links that udev makes of disks and partitions, by the place of the controller
# and by its serial number. They come back after an unplug, and two controllers with one serial
# number do not take them from each other.
#
# config: cmb-twins
# append: initcall_blacklist=nvme_init
# qemu: -smp 1
#
# For both lines, see hotplug.bats.

load lib.bash

readonly BY_PATH=/dev/disk/by-path BY_ID=/dev/disk/by-id
# What udev makes of QEMU's model, and the serial number of both controllers
readonly TWIN=nvme_cmb-QEMU_NVMe_Ctrl_twin-cmb

setup_file() {
	local functions
	install_udev_rules
	load_driver
	# In the order of the bus, as they are bound
	mapfile -t functions < <(controllers)
	export FIRST=${functions[0]} SECOND=${functions[1]}
}

# is_link LINK DISK: LINK leads to DISK.
is_link() {
	[ "$(readlink -f "$1")" = "/dev/$2" ] && return
	echo "$1 leads to $(readlink -f "$1"), and not to $2"
	find /dev/disk -name '*cmb*' -exec ls -l {} +
	return 1
}

# unplug_one ID FUNCTION, plug_in_one ID BUS SERIAL
unplug_one() {
	unplug_device "$@"
	settle
}

plug_in_one() {
	qmp device_add "{\"driver\": \"nvme\", \"id\": \"$1\", \"serial\": \"$3\", \"bus\": \"$2\",
		\"cmb_size_mb\": 16}" >/dev/null
}

@test "each disk has a link by its path" {
	is_link "$BY_PATH/pci-$FIRST-cmb" nvme_cmb0
	is_link "$BY_PATH/pci-$SECOND-cmb" nvme_cmb1
}

@test "the first of two controllers with one serial number has the link by it" {
	local i
	for ((i = 0; i < 5; i++)); do
		is_link $BY_ID/$TWIN nvme_cmb0
		# An event of the other disk does not change that.
		udevadm trigger --settle --action=change "/sys/block/nvme_cmb$((i % 2))"
	done
	is_link $BY_ID/$TWIN nvme_cmb0
}

@test "partitions have links, too" {
	sfdisk -q "/dev/nvme_cmb0" <<<'start=2048, size=2048'
	settle
	wait_for "the links" is_link "$BY_PATH/pci-$FIRST-cmb-part1" nvme_cmb0p1
	is_link "$BY_ID/$TWIN-part1" nvme_cmb0p1
}

@test "what udev knows of a disk" {
	udevadm info /dev/nvme_cmb0
	udevadm info /dev/nvme_cmb0 | grep -qx "E: ID_SERIAL_SHORT=twin"
	udevadm info /dev/nvme_cmb0 | grep -qx "E: ID_PATH=pci-$FIRST-cmb"
}

@test "file systems are found by label and UUID; a mount by a link" {
	local mnt=$BATS_TEST_TMPDIR/mnt uuid
	mkdir "$mnt"
	mkfs.ext4 -q -L lasting /dev/nvme_cmb1
	settle
	wait_for "the label" is_link /dev/disk/by-label/lasting nvme_cmb1
	uuid=$(blkid -o value -s UUID /dev/nvme_cmb1)
	is_link "/dev/disk/by-uuid/$uuid" nvme_cmb1
	mount "$BY_PATH/pci-$SECOND-cmb" "$mnt"
	umount "$mnt"
	wipefs -qa /dev/nvme_cmb1
}

@test "links come back after an unplug" {
	unplug_one nvme1 "$SECOND"
	[ ! -e "$BY_PATH/pci-$SECOND-cmb" ]
	is_link $BY_ID/$TWIN nvme_cmb0
	plug_in_one nvme1 root_port1 other
	wait_for_disk /dev/nvme_cmb1
	is_link "$BY_PATH/pci-$SECOND-cmb" nvme_cmb1
	is_link $BY_ID/${TWIN/twin/other} nvme_cmb1
	is_link $BY_ID/$TWIN nvme_cmb0

	unplug_one nvme0 "$FIRST"
	[ ! -e $BY_ID/$TWIN ]
	plug_in_one nvme0 root_port0 twin
	wait_for_disk /dev/nvme_cmb0
	is_link "$BY_PATH/pci-$FIRST-cmb" nvme_cmb0
	is_link $BY_ID/$TWIN nvme_cmb0
}

# Slow as a CMB is, nobody reads it without need: blkid looks again only when someone may have
# written.
@test "udev reads a disk once, and again after a writer has closed it" {
	local reads
	reads=$(served nvme_cmb0)
	head -c 0 /dev/nvme_cmb0
	reset_function
	settle
	[ "$(served nvme_cmb0)" -eq "$reads" ]
	: >>/dev/nvme_cmb0
	wait_for "blkid" served_more nvme_cmb0 "$reads"
}
