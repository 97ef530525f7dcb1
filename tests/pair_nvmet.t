#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Guest "a" exports the disk of its PMR by NVMe over TCP, and guest "b" uses it: a file system,
# verified data, flushes that are counted in "a", and two paths. Then faults in "a": decode that is
# off, an unplug, a kill, and 30 seconds in which it does not run. No acknowledged block may be
# missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/pair.bash
. tests/pair.bash
# shellcheck source=tests/flushes.bash
. tests/flushes.bash

boot_a() {
	pair_boot a pmr-root-port tests/pair_nvmet_target.sh
}

order_kill() {
	kill_guest a
	boot_a
}

order_freeze() { # SECONDS
	freeze_guest a "$1"
}

# Before "a" is booted again, with a new trace
order_flushes() {
	flushes=$(flushes "$(sed -n 's/^# nvme at //p' "$pair/a.out" | head -n 1)" "$pair/a.trace")
}

pair_boot b no-cmb tests/pair_nvmet_host.sh
boot_a
obey b
report b
each a1 0 "a write of the other machine flushes nothing"
each a2 1 "a flush of the other machine flushes once"
each a3 2 "a write with FUA flushes once, and the flush behind it once more"
done_testing
