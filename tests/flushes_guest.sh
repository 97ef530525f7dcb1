#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of flushes.t: requests that are to persist, and some that are not,
# while QEMU traces what is read of the controller's registers.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

# QEMU traces that, too, and nothing depends on it: what follows is a request of KIND.
mark() { # KIND
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
	# udev would read what was written to, but for the lock
	exec 9<"$DISK"
	flock 9
	mark a0
	dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct status=none
	mark a1
	write oflag=direct
	mark a2
	sync "$DISK"
	# a flush after a reset is one, too
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
