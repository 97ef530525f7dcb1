#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of flushes.t: make requests with and without flushes while QEMU traces the
# reads of the controller's registers.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

# mark KIND: mark the next request in QEMU's trace. Nothing else uses this register.
mark() {
	setpci -s "$function" INTERRUPT_LINE="$1"
}

trace() { # true|false
	local event
	for event in memory_region_ops_read pci_cfg_write; do
		qmp trace-event-set-state \
			"{\"name\": \"$event\", \"enable\": $1}" >/dev/null
	done
}

write() { # FLAGS
	dd if=/dev/zero of="$DISK" bs=4k count=1 status=none "$@"
}

load_driver block_size=512
function=$(controller)
echo "# nvme at $(bar 0 "$function")"

trace true
for _ in {1..5}; do
	# udev reads a disk that was written to, unless it is locked.
	exec 9<"$DISK"
	flock 9
	mark a0
	dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct status=none
	mark a1
	write oflag=direct
	mark a2
	sync "$DISK"
	# The driver flushes before a reset. The flush after it has to be one read, too.
	mark a3
	echo 1 >"$SYS_PCI/devices/$function/reset"
	mark a4
	write oflag=direct conv=fsync
	mark a5
	write oflag=direct,dsync
	mark a6
	exec 9<&-
	settle
	mark a7
	unbind "$function"
	mark a8
	bind nvme_cmb "$function"
	wait_for_disk "$DISK"
done
trace false
