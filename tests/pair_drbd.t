#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# DRBD mirrors the PMR of guest "a" to that of guest "b", with protocol C: a write is acknowledged
# when both have it. "a" writes records, acknowledges each after fsync() to the host, and is killed
# under load. "b" takes over, and has to have each of them. Then "a" is back, and both have to be
# alike.
#
# DRBD writes its activity log with flush and FUA before it writes to a part of the disk that the
# log does not name. pair_guest.bash sets the smallest log.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/pair.bash
. tests/pair.bash

# The records that are acknowledged before "a" is killed
readonly MIN_RECORDS=50

seed=${SEED:-$RANDOM}
RANDOM=$seed

# acknowledged: print the number of the last record with a complete acknowledgment.
acknowledged() {
	sed -n 's/^blocks \([0-9]*\) ok\r*$/\1/p' "$pair/a.orders" | tail -n 1
}

pair_boot b pmr-32m tests/pair_drbd_guest.sh secondary
pair_boot a pmr-32m tests/pair_drbd_guest.sh primary
until (($(grep -ac '^blocks .* ok' "$pair/a.orders") >= MIN_RECORDS)); do
	for guest in a b; do
		kill -0 "${pid_of[$guest]}" 2>/dev/null || { ended $guest; report $guest; exit 1; }
	done
	sleep 0.1
done
sleep "$((RANDOM % 3)).$((RANDOM % 1000))"
kill_guest a
last=$(acknowledged)
pair_boot a pmr-32m tests/pair_drbd_guest.sh back "$last"
ended a
report a
echo "# $last records were acknowledged before the kill, seed $seed"
done_testing
