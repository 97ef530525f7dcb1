#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of staged_trips.t: make requests while QEMU traces all accesses.
set -euo pipefail

# shellcheck source=tests/lib.bash
. tests/lib.bash
# shellcheck source=tests/staged.bash
. tests/staged.bash

# As in staged_trips.t
readonly REQUESTS=8

trace() { # EVENT true|false
	qmp trace-event-set-state "{\"name\": \"$1\", \"enable\": $2}" >/dev/null
}

# mark WORDS: leave WORDS in QEMU's trace. Its monitor does not know the command, and says so.
mark() {
	qmp human-monitor-command "{\"command-line\": \"mark $*\"}" >/dev/null
}

requests() { # DIRECTION LENGTH
	local -a copy=(if=/dev/zero "of=$DISK" oflag=direct conv=notrunc)
	[ "$1" = write ] || copy=("if=$DISK" of=/dev/null iflag=direct)
	mark "$@"
	dd "${copy[@]}" bs="$2" count=$REQUESTS status=none
	mark end
}

load_driver staging=2
stage_every_size
# udev reads a disk that was written to, unless it is locked.
exec 9<"$DISK"
flock 9
settle

trace handle_qmp_command true
trace memory_region_ops_read true
trace memory_region_ops_write true
for length in 64K 1M; do
	requests read $length
	requests write $length
done
trace memory_region_ops_write false
trace memory_region_ops_read false
