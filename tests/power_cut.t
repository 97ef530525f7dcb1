#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: power_cut.t [btt]
#
# Acknowledged data is there after a power cut. The guest writes blocks of a PMR's disk, and
# files in a file system on it, ext4 and xfs in turn. After each fsync it acknowledges the record
# to the host. There is other load meanwhile. QEMU is killed at a random moment. The next guest
# has to find each acknowledged record. The file system has to be clean after its journal was
# replayed.
#
# With btt, the disk is that of a BTT on /dev/pmem0 instead. Then no block may be torn: each block
# holds one write, and no part of another. A PMR's own disk may tear blocks. The test counts them.
#
# This shows that acknowledged data has left everything that ends with QEMU: the guest's page
# cache, requests that were not served yet, a private mapping of the file. It does not show that
# the data survives a power cut of the host, because the host's kernel still has what a killed
# QEMU has written. flushes.t shows that each flush reaches the file.
set -euo pipefail
cd "$(dirname "$0")/.."

# The records of each kind that are acknowledged before a cut
readonly MIN_RECORDS=20
readonly SIGTERM=15

cycles=2
[[ ! ${FULL-} ]] || cycles=20
seed=${SEED:-$RANDOM}
RANDOM=$seed

btt='' config=pmr-1g
# A BTT flushes four times for each write. If the images are in memory, this takes less time than
# the copies, so that more cuts are in the middle of a copy.
[[ ${1-} != btt ]] || btt=1 config=pmr-32m TMPDIR=/dev/shm
export TMPDIR
IMAGES=$(mktemp -d)
export IMAGES QUIET=1
results=$IMAGES/results output=$IMAGES/output guest=
trap '[[ ! $guest ]] || kill "$guest" || true; wait; rm -rf "$IMAGES"' EXIT

# boot ARG...: run power_cut_guest.sh in a guest in the background.
boot() {
	: >"$results"
	qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" --config "$config" --results "$results" -- \
		tests/power_cut_guest.sh "$@" "${btt:+btt}" >"$output" 2>&1 &
	guest=$!
}

# last KIND: print the number of the last record with a complete acknowledgment.
last() {
	sed -n "s/^$1 \([0-9]*\) ok\r*$/\1/p" "$results" | tail -n 1
}

# under_load: wait until some records of each kind were acknowledged. False if the guest has ended.
# It does so at its deadline at the latest.
under_load() {
	until (($(grep -c '^files .* ok' "$results") >= MIN_RECORDS &&
		$(grep -c '^blocks .* ok' "$results") >= MIN_RECORDS)); do
		kill -0 "$guest" 2>/dev/null || return 1
		sleep 0.1
	done
}

# guest_ends: wait for the guest, and set status. Status is not 0 either if the kernel's log has a
# splat.
guest_ends() {
	status=0
	wait "$guest" || status=$?
	guest=
}

# cut_power: end boot.sh at a random moment. It kills QEMU with SIGKILL then.
cut_power() {
	sleep "$((RANDOM % 3)).$((RANDOM % 1000))"
	kill "$guest"
	guest_ends
	((status == 128 + SIGTERM)) || give_up "boot.sh ended with $status after SIGTERM"
}

give_up() { # REASON
	{ tail -n 20 "$output"; echo "$1"; } | sed 's/^/# /'
	exit 1
}

# number NAME: print how many NAME the guest has counted in its checks.
number() {
	sed -n "s/^checked: .*\b$1=\([0-9]*\).*/\1/p" "$output" | awk '{ n += $1 } END { print n + 0 }'
}

# report CYCLE: report the checks that the guest after that power cut has made.
report() {
	local intact=not
	blocks_checked=$((blocks_checked + $(number blocks)))
	files_checked=$((files_checked + $(number files)))
	lost=$((lost + $(number lost)))
	torn=$((torn + $(number torn)))
	if grep -q '^clean: ' "$output" && (($(number blocks) && $(number files) && !$(number lost))) &&
		! ((${btt:-0} && $(number torn))); then
		intact=
	fi
	echo "${intact:+not }ok $1 cut $1: $(number blocks) blocks and $(number files) files are there, $(number torn) blocks are torn, $(
		sed -n 's/^clean: //p' "$output") is clean"
	[[ ! $intact ]] || sed 's/^/# /' "$output"
}

blocks=0 files=0 blocks_checked=0 files_checked=0 lost=0 torn=0
echo "1..$cycles"
for ((cycle = 0; cycle <= cycles; cycle++)); do
	boot "$cycle" "$cycles" "$blocks" "$files"
	if ((cycle < cycles)); then
		loaded=1
		under_load || loaded=
		((cycle == 0)) || report "$cycle"
		[[ $loaded ]] || give_up "the guest does not write any more"
		cut_power
		blocks=$(last blocks) files=$(last files)
	else
		guest_ends
		report "$cycle"
		((status == 0)) || give_up "boot.sh ended with $status"
	fi
done
echo "# $cycles power cuts, seed $seed: $blocks_checked blocks and $files_checked files verified, $lost lost, $torn blocks torn"
