#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of shutdown.t: start load on the disk, and end while it goes on. Then the guest
# reboots.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash

load_driver block_size=512
setsid fio --name=busy --filename=/dev/nvme_cmb0 --rw=randrw --bs=4k --direct=1 \
	--time_based --runtime=600 --allow_file_create=0 >/dev/null 2>&1 &
busy=$!
wait_for_io nvme_cmb0
for direction in read write; do
	qmp trace-event-set-state \
		"{\"name\": \"memory_region_ops_$direction\", \"enable\": true}" >/dev/null
done
wait_for_io nvme_cmb0
kill -0 $busy
