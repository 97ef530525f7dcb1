#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A controller that comes later than the drivers. Before Linux 6.17 the PCI core asks them
# in the order in which they came; since then it first asks those that do not probe
# asynchronously, as the stock driver does, and so nvme_cmb.
#
# config: cmb
# guest: shared

load lib.bash

# replug DRIVER: all controllers go, and when they are back they are DRIVER's.
replug() {
	local function
	function=$(controller)
	remove
	echo 1 >"$SYS_PCI/rescan"
	wait_for "$1" bound "$1" "$function"
	settle
}

@test "while both drivers are loaded it is nvme_cmb's since Linux 6.17" {
	modprobe nvme_cmb
	if since 6.17 "$(uname -r)"; then
		replug nvme_cmb
		wait_for_disk "$DISK"
	else
		replug nvme
		wait_for_disk /dev/nvme0n1
	fi
}

@test "while nvme_cmb is on the blacklist it is the stock driver's" {
	unload_driver
	# which is for those who are loaded by an alias
	echo "blacklist nvme_cmb" >/etc/modprobe.d/nvme_cmb.conf
	udevadm control --reload
	replug nvme
	wait_for_disk /dev/nvme0n1
	[ ! -e /sys/module/nvme_cmb ]
	rm /etc/modprobe.d/nvme_cmb.conf
	udevadm control --reload
}
