#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bind all NVMe controllers of the stock driver to nvme_cmb. Those that nvme_cmb declines are bound
# to the stock driver again.
set -eu

# shellcheck source=qemu-configs/guest/pci.bash
. "${BASH_SOURCE%/*}/pci.bash"

modprobe nvme_cmb
for function in $(controllers); do
	if ! bound nvme "$function" || bind nvme_cmb "$function"; then
		continue
	fi
	echo "nvme_cmb declined $function:"
	dmesg | grep "nvme_cmb.*$function" || true
	echo >"$SYS_PCI/devices/$function/driver_override"
	echo "$function" >"$SYS_PCI/drivers_probe"
done
settle
