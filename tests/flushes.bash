# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Count flushes of a PMR in a trace of QEMU's, for tests that run on the host.

# shellcheck source=tests/registers.bash
. tests/registers.bash

# The output of flushes(), for each()
flushes=''

# flushes BAR0 LOG: print a line for each request in QEMU's trace: its kind, and how often PMRSTS
# was read until the next mark or function-level reset. The guest marks a request by a write of
# its kind to the Interrupt Line register (0x3c). A reset is a write to Device Control (0x88).
# After it the driver reads PMRSTS to check whether the PMR is ready, which is no flush.
flushes() {
	perl -lne '
		BEGIN { $pmrsts = hex(shift @ARGV) + hex(shift @ARGV) }
		/^pci_cfg_write nvme .* (?:\@0x3c <- 0x(\w+)|\@0x88 <- 0x[89a-f]\w{3})$/ and do {
			print "$kind $flushes" if $kind;
			($kind, $flushes) = ($1, 0);
		};
		$flushes++ if /^memory_region_ops_read .* addr (\w+) .* name .nvme.$/ &&
			hex $1 == $pmrsts;
	' "$1" "$REG_PMRSTS" "$2"
}

# each KIND FLUSHES NAME: each of the five requests of KIND had that number of FLUSHES.
each() {
	local had
	had=$(sed -n "s/^$1 //p" <<<"$flushes" | sort -n | xargs)
	is "$had" "$2 $2 $2 $2 $2" "$3"
	echo "# reads of PMRSTS: $had"
}
