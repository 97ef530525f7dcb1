#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of accesses.t: a few requests while QEMU traces accesses.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

trace() { # DIRECTION true|false
	qmp trace-event-set-state \
		"{\"name\": \"memory_region_ops_$1\", \"enable\": $2}" >/dev/null
}

load_driver block_size=512
echo "# nvme at $(bar 0 "$(controller)")"
echo "# nvme-cmb at $(bar 2 "$(controller)")"

for event in read write; do
	trace $event true
done
for at in {0..4}; do
	for request in 5:4K 6:8K; do
		dd if=/dev/nvme_cmb0 of=/dev/null bs="${request#*:}" count=1 \
			skip=$(((${request%:*} << 20) + at * 65536)) \
			iflag=direct,skip_bytes status=none
	done
done
# Last, because a disk that was written to is read by the kernel and by udev
for at in {0..4}; do
	dd if=/dev/zero of=/dev/nvme_cmb0 bs=4K count=1 \
		seek=$(((7 << 20) + at * 65536)) oflag=direct,seek_bytes \
		status=none
	blkdiscard --force --offset $(((8 << 20) + at * 65536)) --length 512 \
		/dev/nvme_cmb0
done
for event in read write; do
	trace $event false
done
