#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Show a result: the rates and the ratios as tables, and beside RESULT.json a page with
# both, the plots and the targets. The page holds all it needs in itself.
#
# shellcheck disable=SC2016 # the dollars in single quotes are jq's

# shellcheck source=qemu-configs/lib.sh
. "${BASH_SOURCE%/*}/../qemu-configs/lib.sh"
bench=$(realpath "${BASH_SOURCE%/*}")

query() { # JQ-FILTER [JQ-OPTION...]
	jq --raw-output -L "$bench" "include \"figures\"; include \"tables\"; $1" "${@:2}" "$result"
}

# Print the SVG, and keep it beside the page. A plot without a curve is left out.
draw() { # PLOT RW
	local data=$work/data output=$name.$1.$2.svg devices
	jq --raw-output -L "$bench" --arg plot "$1" --arg rw "$2" -f "$bench/plots.jq" "$result" >"$data"
	devices=$(sed -n 's/^# //p' "$data" | paste -sd' ')
	[[ $devices ]] || return 0
	gnuplot -e "data='$data'; output='$output'; plot='$1'; rw='$2'; devices='$devices'" "$bench/plot.gp"
	sed -n '/^<svg/,$p' "$output"
}

page() {
	local plot rw
	for plot in bandwidth latency jobs_{4k,64k,1m} depth; do
		for rw in randread randwrite; do
			draw "$plot" "$rw"
		done
	done >"$work/plots"
	cat "$bench/page.html"
	jq --raw-output -L "$bench" --rawfile plots "$work/plots" -f "$bench/page.jq" "$result"
}

(($# == 1)) || { echo "Usage: report.sh RESULT.json" >&2; exit 2; }
result=$1
name=${result%.json}
need jq gnuplot
[[ -r $result ]] || die "cannot read $result"
query '.figures | objects' --exit-status >/dev/null 2>&1 || die "$result is no result of 'make bench'"
query 'rates.rows != []' --exit-status >/dev/null || die "$result has no rate of a device"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

page >"$name.html"
echo
query 'conditions | "\(.[0] | left(13))\(.[1])"'
query '"", note, "", (rates | text("device")), (ratios | select(.rows != []) | "", text("ratio"))'
if [[ $V ]]; then
	query 'verdict | "", .'
	query 'targets[] | target_row | (.[0] | left(52)) + (.[1:4] | map(right(8)) | add) + "  " + (.[4] | left(15)) + .[5]'
else
	query 'verdict | "", "\(.) (in the page)"'
fi
printf '\n%s\n' "$(realpath --relative-to=. "$name.html")"
