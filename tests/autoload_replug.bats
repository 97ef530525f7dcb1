#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Which driver gets a controller that is plugged in while both drivers are loaded. Before Linux
# 6.17 the PCI core tries them in the order in which they were loaded. Since 6.17 it first tries
# those without asynchronous probing. The stock driver probes asynchronously, nvme_cmb does not.
# nvme_cmb, if it is tried first, leaves a controller that has a namespace to the stock driver.
#
# config: cmb cmb-1m
# guest: shared

load lib.bash

# replug DRIVER: remove the controller, and let Linux find it again. It is bound to DRIVER then.
replug() {
	local function
	function=$(controller)
	remove
	echo 1 >"$SYS_PCI/rescan"
	wait_for "$1" bound "$1" "$function"
	settle
}

@test "with both drivers loaded, nvme_cmb has a controller without namespaces since Linux 6.17" {
	modprobe nvme_cmb
	if [[ $CONFIG = cmb ]]; then
		replug nvme
		wait_for_disk /dev/nvme0n1
		! since 6.17 "$(uname -r)" || logged "declined: it has namespace 1"
	elif since 6.17 "$(uname -r)"; then
		replug nvme_cmb
		wait_for_disk "$DISK"
	else
		replug nvme
	fi
}

@test "with nvme_cmb on the blacklist, the stock driver has the controller" {
	unload_driver
	# A blacklist applies only to modules that are loaded by an alias.
	echo "blacklist nvme_cmb" >/etc/modprobe.d/nvme_cmb.conf
	udevadm control --reload
	replug nvme
	[ ! -e /sys/module/nvme_cmb ]
	rm /etc/modprobe.d/nvme_cmb.conf
	udevadm control --reload
}
