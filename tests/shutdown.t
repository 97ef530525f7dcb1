#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A reboot under load. The driver clears CMBMSC, disables the controller and shuts it down, and
# copies nothing after that. QEMU's trace shows it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash
# shellcheck source=tests/registers.bash
. tests/registers.bash

# CC.SHN is two bits from this bit on. The value is that for a normal shutdown.
readonly CC_SHN=14 CC_SHN_NORMAL=1

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# last_write OFFSET: print the value that was last written to that register of the controller,
# after the first access to the CMB.
last_write() {
	sed -n "/memory_region_ops_.* name .nvme-cmb.$/,\$s/.*pci_nvme_mmio_write addr $1 data \(0x[0-9a-f]*\).*/\1/p" \
		"$log" | tail -n 1
}

# cmb_accesses PROGRAM: print the number of accesses to the CMB in the part of the trace that sed
# selects by PROGRAM.
cmb_accesses() {
	sed -n "$1" "$log" | grep -c 'memory_region_ops_.* name .nvme-cmb.$' || true
}

boot_guest --config cmb \
	--qemu-arg -D --qemu-arg "$log" --qemu-arg -trace --qemu-arg 'pci_nvme_mmio_*' \
	-- tests/shutdown_guest.sh

end=$(grep -n "pci_nvme_mmio_write addr $REG_CMBMSC data 0x0 " "$log" | tail -n 1 | cut -d: -f1)
before=$(cmb_accesses "1,${end}p")
is "$((before > 0))" 1 "there are accesses to the CMB until the reboot"
echo "# $before accesses"
is "$(last_write $REG_CMBMSC)" 0x0 "CMBMSC is left clear"
cc=$(last_write $REG_CC)
is "${cc:+$((cc & ENABLED))}" 0 "CC.EN is written, and left clear"
is "$((${cc:-0} >> CC_SHN & 3))" $CC_SHN_NORMAL "CC.SHN is left at a normal shutdown"
is "$(awk -v csts="pci_nvme_mmio_read addr $REG_CSTS " '
	/pci_nvme_mmio_shutdown_/ { requested = /_set/; reads = 0 }
	index($0, csts) { reads++ }
	END { print requested && reads ? 1 : 0 }' "$log")" 1 \
	"the driver reads CSTS to wait for the end of the shutdown"
is "$(cmb_accesses "${end},\$p")" 0 "nothing is copied afterwards"
done_testing
