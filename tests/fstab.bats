#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A file system on a PMR that systemd mounts at boot, by the line for /etc/fstab that the page
# shows: udev loads the module by its alias, makes the link, and systemd mounts what it leads to.
#
# config: pmr-32m
# append: initcall_blacklist=nvme_init

load lib.bash

readonly MNT=/mnt

setup_file() {
	install_udev_rules
	load_driver
	mkfs.ext4 -q "$DISK"
	mount "$DISK" $MNT
	pattern fstab "$BLOCK" >$MNT/file
	umount $MNT
	unload_driver
}

# page_fstab: the line of the page, for this guest's controller.
page_fstab() {
	sed -n "s,^  \(/dev/disk/by-path/pci-\)[^ ]*\(-pmr .*\),\1$(controller)\2,p" nvme_cmb.rst
}

# boot_systemd: start systemd as process 1 of a PID namespace, to reach what mounts from fstab are
# for. Its mounts are its own. background[systemd] is the process outside of it.
boot_systemd() {
	container=lab unshare --pid --fork --kill-child --mount --mount-proc \
		/lib/systemd/systemd --unit=local-fs.target --log-target=kmsg --show-status=no \
		>"$BATS_TEST_TMPDIR/systemd" 2>&1 3>&- &
	background["systemd"]=$!
	wait_for "systemd to run" systemd_pid
}

systemd_pid() {
	pgrep -P "${background["systemd"]}"
}

# in_systemd COMMAND...: run COMMAND where systemd mounts.
in_systemd() {
	nsenter --target "$(systemd_pid)" --mount --pid "$@"
}

mounted() {
	in_systemd mountpoint -q $MNT
}

@test "systemd mounts the file system at boot, by its link" {
	page_fstab >/etc/fstab
	[ "$(wc -l </etc/fstab)" -eq 1 ]
	[ ! -e /sys/module/nvme_cmb ]
	boot_systemd
	# What systemd-udev-trigger.service does
	udevadm trigger --action=add --subsystem-match=pci
	wait_for "the mount" mounted
	[ "$(in_systemd findmnt -no SOURCE $MNT)" = "$DISK" ]
	pattern fstab "$BLOCK" | in_systemd cmp - $MNT/file
	in_systemd umount $MNT
	kill -KILL "$(systemd_pid)"
	wait "${background["systemd"]}" || true
	unset "background[systemd]"
}
