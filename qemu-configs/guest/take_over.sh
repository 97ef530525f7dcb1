#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Give every NVMe controller from the stock driver to nvme_cmb, by what anyone
# would type. One that nvme_cmb declines goes back.
set -eu

modprobe nvme_cmb
for controller in /sys/bus/pci/drivers/nvme/????:*; do
	[[ -e $controller ]] || continue # none was left
	device=$(readlink -f "$controller")
	function=${device##*/}
	echo "$function" >"$device/driver/unbind"
	echo nvme_cmb >"$device/driver_override"
	echo "$function" >/sys/bus/pci/drivers_probe
	if [[ ! -e $device/driver ]]; then
		echo "nvme_cmb declined $function:"
		dmesg | grep "nvme_cmb.*$function" || true
		echo >"$device/driver_override"
		echo "$function" >/sys/bus/pci/drivers_probe
	fi
done
udevadm settle
