#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The driver declines a controller that has neither CMB nor PMR.
#
# config: no-cmb

load lib.bash

@test "it is declined with one line in the log" {
	modprobe nvme_cmb
	fails bind nvme_cmb "$(controller)"
	logged "nvme_cmb $(controller): declined: neither CMB nor PMR"
	[ "$(log_since_mark | grep -c 'nvme_cmb ')" -eq 1 ]
	[ ! -e /dev/nvme_cmb0 ]
}

@test "the stock driver can be bound again at once" {
	bind nvme "$(controller)"
	wait_for_disk /dev/nvme0n1
	fio --name=ns --filename=/dev/nvme0n1 --rw=randwrite --bs=4k --size=1m \
		--direct=1 --verify=crc32c --verify_fatal=1
	rmmod nvme_cmb
}

@test "nvme-cmb says why it cannot bind it, and gives it back to the stock driver" {
	local function
	function=$(controller)
	run utils/nvme-cmb bind --yes "$function"
	echo "$output"
	[ "$status" -eq 1 ]
	grep -F "nvme_cmb has not taken $function: declined: neither CMB nor PMR" <<<"$output"
	grep -F "$function is bound to nvme." <<<"$output"
	bound nvme "$function"
	[ "$(cat "$SYS_PCI/devices/$function/driver_override")" = "(null)" ]
	wait_for_disk /dev/nvme0n1
	rmmod nvme_cmb
}
