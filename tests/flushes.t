#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A flush of a PMR is one read of PMRSTS, also after a reset, counted by QEMU from outside:
# for each, QEMU writes the memory's file out (msync), and nothing else makes it do so.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash
# shellcheck source=tests/registers.bash
. tests/registers.bash

# in memory, where writing it out takes no time
IMAGES=$(mktemp -d -p /dev/shm)
export IMAGES
log=$IMAGES/log
trap 'rm -rf "$IMAGES"' EXIT

# What QEMU logged, a line for each request: its kind, and the reads of PMRSTS until the
# next mark, or an FLR, after which the driver looks whether the PMR is back.
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

# each KIND FLUSHES NAME: all five requests of that kind had so many.
each() {
	local had
	had=$(sed -n "s/^$1 //p" <<<"$flushes" | sort -n | xargs)
	is "$had" "$2 $2 $2 $2 $2" "$3"
	echo "# reads of PMRSTS: $had"
}

boot_guest --config pmr --qemu-arg -D --qemu-arg "$log" -- tests/flushes_guest.sh
flushes=$(flushes "$(sed -n 's/^# nvme at //p' <<<"$guest")")

# As in flushes_guest.sh
each a0 0 "a read flushes nothing"
each a1 0 "a write flushes nothing"
each a2 1 "a flush flushes once"
each a3 1 "before a reset what was written is flushed"
each a4 1 "a write with fsync flushes once"
# Linux writes a block device's O_DSYNC with FUA, and has a flush follow
each a5 2 "a write with FUA flushes once, and the flush behind it once more"
each a7 1 "an unbind flushes what was written"
done_testing
