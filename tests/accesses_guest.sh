#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of accesses.t: make a few requests while QEMU traces all accesses.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

# As in accesses.t: where the requests of each kind begin, and how far they are apart
readonly READ_4K_MIB=5 READ_8K_MIB=6 WRITE_MIB=7 ZERO_MIB=8 STEP=65536

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
	for request in $READ_4K_MIB:4K $READ_8K_MIB:8K; do
		dd if=/dev/nvme_cmb0 of=/dev/null bs="${request#*:}" count=1 \
			skip=$((${request%:*} * MIB + at * STEP)) \
			iflag=direct,skip_bytes status=none
	done
done
# Writes come last, because udev reads a disk that was written to.
for at in {0..4}; do
	dd if=/dev/zero of=/dev/nvme_cmb0 bs=4K count=1 \
		seek=$((WRITE_MIB * MIB + at * STEP)) oflag=direct,seek_bytes \
		status=none
	blkdiscard --force --offset $((ZERO_MIB * MIB + at * STEP)) --length 512 \
		/dev/nvme_cmb0
done
for event in read write; do
	trace $event false
done
