#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Without the stock driver, udev loads the module by its alias. If the controller has no namespace,
# the disk is there after boot.
#
# config: cmb-1m
# append: initcall_blacklist=nvme_init

load lib.bash

@test "udev has loaded the module, and the disk is there" {
	[ ! -e /sys/bus/pci/drivers/nvme ]
	bound nvme_cmb "$(controllers)"
	[ -b /dev/nvme_cmb0 ]
	ends_hold_data /dev/nvme_cmb0
}
