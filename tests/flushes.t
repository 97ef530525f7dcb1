#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A flush of a PMR is one read of PMRSTS, also after a reset. QEMU's trace counts these reads. For
# each one QEMU writes the memory's file to disk with msync(), and it does so for nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash
# shellcheck source=tests/flushes.bash
. tests/flushes.bash

# The images are in memory, where msync() takes no time.
IMAGES=$(mktemp -d -p /dev/shm)
export IMAGES
log=$IMAGES/log
trap 'rm -rf "$IMAGES"' EXIT

boot_guest --config pmr --qemu-arg -D --qemu-arg "$log" -- tests/flushes_guest.sh
flushes=$(flushes "$(sed -n 's/^# nvme at //p' <<<"$guest")" "$log")

# The kinds are the marks of flushes_guest.sh.
each a0 0 "a read flushes nothing"
each a1 0 "a write flushes nothing"
each a2 1 "a flush flushes once"
each a3 1 "before a reset what was written is flushed"
each a4 1 "a write with fsync flushes once"
# For O_DSYNC on a block device Linux writes with FUA, and then flushes.
each a5 2 "a write with FUA flushes once, and the flush behind it once more"
each a7 1 "an unbind flushes what was written"
done_testing
