#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A flush of a PMR is one read of PMRSTS, also after a reset. QEMU's trace counts these reads. For
# each one QEMU writes the memory's file to disk with msync(), and it does so for nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash
# shellcheck source=tests/registers.bash
. tests/registers.bash

# The images are in memory, where msync() takes no time.
IMAGES=$(mktemp -d -p /dev/shm)
export IMAGES
log=$IMAGES/log
trap 'rm -rf "$IMAGES"' EXIT

# flushes BAR0: print a line for each request in QEMU's trace: its kind, and how often PMRSTS was
# read until the next mark or function-level reset. The guest marks a request by a write of its
# kind to the Interrupt Line register (0x3c). A reset is a write to Device Control (0x88). After
# it the driver reads PMRSTS to check whether the PMR is ready, which is no flush.
flushes() {
	perl -lne '
		BEGIN { $pmrsts = hex(shift @ARGV) + hex(shift @ARGV) }
		/^pci_cfg_write nvme .* (?:\@0x3c <- 0x(\w+)|\@0x88 <- 0x[89a-f]\w{3})$/ and do {
			print "$kind $flushes" if $kind;
			($kind, $flushes) = ($1, 0);
		};
		$flushes++ if /^memory_region_ops_read .* addr (\w+) .* name .nvme.$/ &&
			hex $1 == $pmrsts;
	' "$1" "$REG_PMRSTS" "$log"
}

# each KIND FLUSHES NAME: each of the five requests of KIND had that number of FLUSHES.
each() {
	local had
	had=$(sed -n "s/^$1 //p" <<<"$flushes" | sort -n | xargs)
	is "$had" "$2 $2 $2 $2 $2" "$3"
	echo "# reads of PMRSTS: $had"
}

boot_guest --config pmr --qemu-arg -D --qemu-arg "$log" -- tests/flushes_guest.sh
flushes=$(flushes "$(sed -n 's/^# nvme at //p' <<<"$guest")")

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
