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

bar() { # NUMBER
	awk -v line="$(($1 + 1))" 'NR == line { print $1 }' \
		"$SYS_PCI/devices/$(controllers)/resource"
}

load_driver block_size=512
echo "# nvme at $(bar 0)"
echo "# nvme-cmb at $(bar 2)"

trace read true
dd if=/dev/nvme_cmb0 of=/dev/null bs=4K skip=5M iflag=direct,skip_bytes \
	count=1 status=none
dd if=/dev/nvme_cmb0 of=/dev/null bs=64K skip=6M iflag=direct,skip_bytes \
	count=1 status=none
trace read false

trace write true
dd if=/dev/zero of=/dev/nvme_cmb0 bs=4K seek=7M oflag=direct,seek_bytes \
	count=1 status=none
blkdiscard --offset 8M --length 512 /dev/nvme_cmb0
trace write false
