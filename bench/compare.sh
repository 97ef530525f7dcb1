#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two results side by side. Up to 5 % is noise, beyond 20 % is a change, between
# them is for a second look. Fails on a change for the worse, and only of the disks of
# nvme_cmb: the peers say how far the machine itself has moved.

# shellcheck source=qemu-configs/lib.sh
. "${BASH_SOURCE%/*}/../qemu-configs/lib.sh"

usage() {
	echo 'Usage: compare.sh A.json B.json    (make bench-compare A=... B=...)' >&2
	exit 2
}

check() { # NAME FILE
	[[ $2 ]] || die "$1 is not given: make bench-compare A=before.json B=after.json"
	[[ -r $2 ]] || die "$1: cannot read $2"
	jq --exit-status .figures.nvme_cmb "$2" >/dev/null 2>&1 || die "$1: $2 is no result of 'make bench'"
}

# Figures of two machines are not to be compared, or only by someone who means it
show_differences() {
	jq --raw-output --null-input '[inputs.meta | del(.date, .commit, ."driver log")] as [$a, $b]
		| $a | keys_unsorted[] | select($a[.] != $b[.])
		| "\(.) differs: \($a[.]) and \($b[.])"' "$a" "$b"
}

compare() { # -> DEVICE SHAPE A B CHANGE VERDICT
	jq --raw-output --null-input -L "${BASH_SOURCE%/*}" 'include "figures"; [inputs.figures] as [$a, $b]
		| $a | keys_unsorted[] as $device | .[$device] | keys_unsorted[] as $shape
		| [$a, $b | .[$device][$shape].iops.median] as [$old, $new] | select($new)
		| (($new / $old - 1) * 100) as $change
		| [($device | title), $shape, ($old, $new, $change | round), ($change |
			if fabs <= 5 then "noise" elif fabs <= 20 then "look again"
			elif . > 0 then "better" else "worse" end)] | @tsv' "$a" "$b"
}

colour_of() { # VERDICT
	case $1 in
	better) echo 32 ;;
	worse) echo 31 ;;
	look*) echo 33 ;;
	*) echo 0 ;;
	esac
}

(($# == 2)) || usage
a=$1 b=$2 status=0
need jq
check A "$a"
check B "$b"
differences=$(show_differences)
rows=$(compare)
[[ $rows ]] || die "the two have no figure in common"

[[ ! $differences ]] || printf '%s\n\n' "$differences"
printf '%-13s %-22s %9s %9s %7s\n' device shape 'A (IOPS)' 'B (IOPS)' change
while IFS=$'\t' read -r device shape old new change verdict; do
	printf '%-13s %-22s %9d %9d %+6d%%  %s\n' "$device" "$shape" "$old" "$new" "$change" \
		"$(colour "$(colour_of "$verdict")" "$verdict")"
	[[ $verdict != worse || " nvme_cmb nvme_pmr one_of_1 one_of_8 " != *" $device "* ]] || status=1
done <<<"$rows"
exit $status
