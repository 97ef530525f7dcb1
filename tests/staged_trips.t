#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The number of trips to QEMU that a staged request takes: accesses to the controller's registers
# and to its CMB. QEMU's trace counts them. A request is two commands, each with a doorbell when it
# is submitted, and one when its completion was taken. With QEMU's default MDTS 1 MiB is two
# requests. With ioeventfd=on the doorbells in memory do: only another thread of QEMU is woken.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash

# As in staged_trips_guest.sh
readonly REQUESTS=8

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# trips DIRECTION LENGTH: print how many trips REQUESTS requests took. The guest has marked in the
# trace where they begin, and where the next ones do.
trips() {
	awk -v mark="\"mark $1 $2\"" '
		/^handle_qmp_command .*"mark / { counts = index($0, mark); seen += counts }
		/^memory_region_ops_(read|write) .* name .nvme(-cmb)?.$/ && counts { trips++ }
		END { if (seen) print trips + 0 }' "$log"
}

# at_most TRIPS DIRECTION LENGTH NAME: no more than TRIPS for each request
at_most() {
	local trips
	trips=$(trips "$2" "$3")
	echo "# $4: $REQUESTS requests to $2 $3 took ${trips:-?} trips"
	is "$((${trips:-REQUESTS * $1 + 1} <= REQUESTS * $1))" 1 "$4: a $2 of $3 takes $1 trips at most"
}

# check NAME TRIPS_64K TRIPS_1M QEMU_ARG...: boot, and check both lengths and directions.
check() {
	local direction
	: >"$log"
	boot_guest --config cmb-staged --qemu-arg -D --qemu-arg "$log" "${@:4}" -- tests/staged_trips_guest.sh
	for direction in read write; do
		at_most "$2" $direction 64K "$1"
		at_most "$3" $direction 1M "$1"
	done
}

check "doorbells in registers" 4 8
check "ioeventfd" 0 0 --qemu-arg -set --qemu-arg device.nvme0.ioeventfd=on
done_testing
