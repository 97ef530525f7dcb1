#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Each allocation that binding or unbinding makes fails once, alone: the first, the
# second, and so on until none is left to fail.
#
# ACPI would evaluate its tables for the routing of an interrupt that nobody uses, and
# it frees what it still uses when it fails to allocate: acpi=noirq.
#
# With one CPU, because each bind enables a PMR, and each unbind disables it. QEMU 7.2 then
# numbers the regions behind it anew, and an access of another CPU may go to the wrong one:
# the end of an interrupt, written to the APIC, was lost, and with it that CPU's timer.
#
# config: cmb-pmr cmb pmr
# append: acpi=noirq
# qemu: -smp 1
# kernels: 6.12-debug

load lib.bash

# Traces of failures that were asked for: of vmalloc(), which no setting silences, and
# of the driver's own faults, whose settings come with the disk.
export NO_SPLAT='
/: vmalloc error: size .* failed/,/Mem-Info:/d
/FAULT_INJECTION: forcing a failure/,/<\/TASK>/d'

# Binding and unbinding make more allocations than that.
readonly MIN_ALLOCATIONS=10

setup_file() {
	local site
	load_driver
	# udev would read each disk that comes, which takes longer than all the rest
	udevadm control --exit
	unbind "$(controller)"
	for site in failslab fail_page_alloc; do
		# those that may wait for memory, too, as nearly all here may
		echo N >/sys/kernel/debug/$site/ignore-gfp-wait
		# each would be told with a trace, as a splat is
		echo 0 >/sys/kernel/debug/$site/verbose
	done
	echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem
	echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
}

# sweep ACTION: and say how it went.
sweep() {
	local counts
	counts=$(tests/fail_nth "$1" "$(controller)")
	echo "# $1: allocations that failed, memories left out then, times it had no\
 node, times it was unbound: $counts" >&3
	counts=${counts#failed=}
	[ "${counts%% *}" -gt $MIN_ALLOCATIONS ]
}

@test "binding without one allocation gives an error or a disk, and no harm" {
	sweep bind
	no_leak
}

@test "unbinding without one allocation takes the disk away, and no harm" {
	sweep unbind
	no_leak
}
