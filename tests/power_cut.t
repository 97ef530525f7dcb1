#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: power_cut.t [btt]
#
# What was acknowledged is there after a power cut. In the guest, blocks of a PMR's disk
# and files in a file system on it, ext4 and xfs in turn, are written with fsync and
# then acknowledged to this side, under load; at a random moment QEMU is killed. The
# next guest finds each of them, and a file system that is clean once its journal was
# replayed.
#
# With btt it is the disk of a BTT on /dev/pmem0 instead, and then no block is torn: of
# those that were being written each holds one write, and no part of another. A PMR's own
# disk may tear them, which is counted.
#
# That shows that acknowledged data has left everything that dies with QEMU: the guest's
# page cache, requests under way, a mapping that is not the file's. It cannot show that
# the data is safe from a power cut of this machine, for whose kernel a killed QEMU's
# writes are as good as any: that a flush does get as far is for flushes.t to see.
set -euo pipefail
cd "$(dirname "$0")/.."

# of each kind are acknowledged before a cut
readonly MIN_RECORDS=20
readonly SIGTERM=15

cycles=4
[[ ! ${FULL-} ]] || cycles=20
seed=${SEED:-$RANDOM}
RANDOM=$seed

btt='' config=pmr-1g
# Each write to a BTT is flushed four times. In memory that takes less time than to copy
# does, and more of the cuts are in the midst of a copy.
[[ ${1-} != btt ]] || btt=1 config=pmr-32m TMPDIR=/dev/shm
export TMPDIR
IMAGES=$(mktemp -d)
export IMAGES QUIET=1
results=$IMAGES/results output=$IMAGES/output guest=
trap '[[ ! $guest ]] || kill "$guest" || true; wait; rm -rf "$IMAGES"' EXIT

# boot ARG...: power_cut_guest.sh, in the background
boot() {
	: >"$results"
	qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" --config "$config" --results "$results" -- \
		tests/power_cut_guest.sh "$@" "${btt:+btt}" >"$output" 2>&1 &
	guest=$!
}

# last KIND: the number of the last that was acknowledged in full.
last() {
	sed -n "s/^$1 \([0-9]*\) ok\r*$/\1/p" "$results" | tail -n 1
}

# under_load: some files were acknowledged, and as many blocks, before the guest has
# ended, which it does at its deadline.
under_load() {
	until (($(grep -c '^files .* ok' "$results") >= MIN_RECORDS &&
		$(grep -c '^blocks .* ok' "$results") >= MIN_RECORDS)); do
		kill -0 "$guest" 2>/dev/null || return 1
		sleep 0.1
	done
}

# guest_ends: with a status, which also tells of a splat in the kernel's log.
guest_ends() {
	status=0
	wait "$guest" || status=$?
	guest=
}

# cut_power: boot.sh, told to end, kills QEMU with SIGKILL.
cut_power() {
	sleep "$((RANDOM % 3)).$((RANDOM % 1000))"
	kill "$guest"
	guest_ends
	((status == 128 + SIGTERM)) || give_up "boot.sh, told to end, did so with $status"
}

give_up() { # REASON
	{ tail -n 20 "$output"; echo "$1"; } | sed 's/^/# /'
	exit 1
}

# number NAME: of what was checked.
number() {
	sed -n "s/^checked: .*\b$1=\([0-9]*\).*/\1/p" "$output" | awk '{ n += $1 } END { print n + 0 }'
}

# report CYCLE: on the guest that looks at what its predecessor left.
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
