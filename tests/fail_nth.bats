#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Failed allocations: bind and unbind the controller while the first allocation fails, then the
# second, and so on until all have failed once. Each time there is an error or a working disk,
# and no splat and no leak.
#
# acpi=noirq, because of a bug in ACPI: if an allocation fails while it evaluates its tables for
# the routing of an interrupt, it frees memory that it still uses.
#
# With one CPU, because each bind enables a PMR, and each unbind disables it. QEMU 7.2 then
# numbers the regions behind it anew, and an access of another CPU may go to the wrong one:
# the end of an interrupt, written to the APIC, was lost, and with it that CPU's timer.
#
# With scratch blocks, as many allocations are made as there can be. A command moves 8 KiB at most
# (MDTS of 1), so that there are few blocks to be zeroed.
#
# config: cmb-pmr cmb pmr
# append: acpi=noirq
# qemu: -smp 1 -set device.nvme0.mdts=1
# kernels: 6.12-debug

load lib.bash

# Expected traces: of vmalloc(), which no setting switches off, and of the driver's own fault
# attributes, whose settings are there only while the disk is.
export NO_SPLAT='
/: vmalloc error: size .* failed/,/Mem-Info:/d
/FAULT_INJECTION: forcing a failure/,/<\/TASK>/d'

# Binding and unbinding each make more allocations than this.
readonly MIN_ALLOCATIONS=10

setup_file() {
	local site
	# Measuring the copy routines in each bind would take most of the time.
	load_driver copy=loop staging=1
	# udev would read each new disk, which takes longer than all the rest.
	udevadm control --exit
	unbind "$(controller)"
	for site in failslab fail_page_alloc; do
		# Let allocations fail that may wait for memory, too. Nearly all are such.
		echo N >/sys/kernel/debug/$site/ignore-gfp-wait
		# A trace for each failure would look like a splat.
		echo 0 >/sys/kernel/debug/$site/verbose
	done
	echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem
	echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
}

# sweep ACTION: run fail_nth for ACTION, and print its counts.
sweep() {
	local counts
	counts=$(tests/fail_nth "$1" "$(controller)")
	echo "# $1: allocations that failed, memories left out, disks without a node in\
 /dev, times it was unbound: $counts" >&3
	counts=${counts#failed=}
	[ "${counts%% *}" -gt $MIN_ALLOCATIONS ]
}

@test "binding while an allocation fails: an error or a disk, no splat, no leak" {
	sweep bind
	no_leak
}

@test "unbinding while an allocation fails: the disk is removed, no splat, no leak" {
	sweep unbind
	no_leak
}
