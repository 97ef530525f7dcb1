#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# On a machine without the stock driver, nobody has to type a thing.
#
# config: cmb
# append: initcall_blacklist=nvme_init

load lib.bash

@test "udev has loaded the module, and the disk is there" {
	[ ! -e /sys/bus/pci/drivers/nvme ]
	bound nvme_cmb "$(controllers)"
	[ -b /dev/nvme_cmb0 ]
	ends_hold_data /dev/nvme_cmb0
}
