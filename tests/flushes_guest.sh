#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of flushes.t: requests that are to persist, and some that are not,
# while QEMU traces what is read of the controller's registers.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

# A byte for port 0x80, which QEMU has for that, and traces: what follows is KIND.
mark() { # KIND
	printf %s "$1" | dd of=/dev/port bs=1 seek=128 status=none
}

trace() { # true|false
	local event
	for event in read write; do
		qmp trace-event-set-state \
			"{\"name\": \"memory_region_ops_$event\", \"enable\": $1}" >/dev/null
	done
}

write() { # FLAGS
	dd if=/dev/zero of="$DISK" bs=4k count=1 status=none "$@"
}

load_driver block_size=512
echo "# nvme at $(awk 'NR == 1 { print $1 }' "$SYS_PCI/devices/$(controller)/resource")"

# udev would read what was written to, but for the lock
exec 9<"$DISK"
flock 9
trace true
for _ in {1..5}; do
	mark R
	dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct status=none
	mark W
	write oflag=direct
	mark F
	sync "$DISK"
	mark S
	write oflag=direct conv=fsync
	mark D
	write oflag=direct,dsync
	mark Z
done
trace false
