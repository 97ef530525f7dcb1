#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Show a result: the targets as a table, and beside RESULT.json a page with that
# table, the plots and all medians. The page holds all it needs in itself.
#
# shellcheck disable=SC2016 # the dollars in single quotes are jq's

# shellcheck source=qemu-configs/lib.sh
. "${BASH_SOURCE%/*}/../qemu-configs/lib.sh"
bench=$(realpath "${BASH_SOURCE%/*}")

figures() { # JQ-FILTER [JQ-ARG...]
	jq --raw-output -L "$bench" "include \"figures\"; $1" "${@:2}" "$result"
}

# --- plots -------------------------------------------------------------------

plots() { # the kinds of which this result has points
	figures '.figures.nvme_cmb | keys | map(shape) | "bandwidth", "latency",
		"jobs_" + (["4k", "64k", "1m"][]),
		if map(select(.how == "uring").count) | unique | length > 1 then "depth" else empty end'
}

draw() { # PLOT RW
	local data=$work/data
	jq --raw-output -L "$bench" --arg plot "$1" --arg rw "$2" -f "$bench/plots.jq" "$result" >"$data"
	gnuplot -e "data='$data'; output='$name.$1.$2.svg'; plot='$1'; rw='$2'" \
		-e "devices='$(sed -n 's/^# //p' "$data" | paste -sd' ')'" "$bench/plot.gp"
}

# --- the page ----------------------------------------------------------------

html() { # JQ-FILTER
	figures 'def row: map("<td>" + (tostring | @html)) | "<tr>" + join(""); '"$1"
}

page() {
	local plot rw
	cat "$bench/page.html"
	echo '<table class="meta">'
	html '.meta + {"cost of an access": (.access
			| "read \(.read_ps.median / 1000) ns, write \(.write_ps.median / 1000) ns")}
		| to_entries[] | select(.value != "") | [.key, .value] | row'
	echo '</table><h2>Targets</h2><table>'
	echo '<tr><th>figure<th>median<th>least<th>most<th>target<th>'
	html 'targets[] | target_row | last as $verdict | row | sub("<tr>"; "<tr class=\($verdict)>")'
	echo '</table><h2>Plots</h2><div class="plots">'
	for plot in "${plots[@]}"; do
		for rw in randread randwrite; do
			sed -n '/^<svg/,$p' "$name.$plot.$rw.svg"
		done
	done
	echo '</div><h2>All medians, in requests a second</h2><table>'
	html '.figures | . as $figures | keys_unsorted as $devices
		| "<tr><th>shape<th>" + ($devices | join("<th>")),
		  (.nvme_cmb | keys_unsorted[] as $shape
			| [$shape] + [$devices[] | $figures[.][$shape].iops.median | if . then rounded else "" end] | row)'
	echo '</table></html>'
}

print_targets() {
	printf '\n%-44s %8s %8s %8s  %-14s\n' '' median least most target
	figures 'targets[] | target_row | @tsv' |
		while IFS=$'\t' read -r figure median least most target verdict; do
			printf '%-44s %8s %8s %8s  %-14s %s\n' "$figure" "$median" "$least" "$most" "$target" \
				"$(colour "$([[ $verdict == met ]] && echo 32 || echo 33)" "$verdict")"
		done
}

(($# == 1)) || { echo "Usage: report.sh RESULT.json" >&2; exit 2; }
result=$1
name=${result%.json}
need jq gnuplot
jq --exit-status .figures.nvme_cmb "$result" >/dev/null 2>&1 || die "$result is no result of 'make bench'"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mapfile -t plots < <(plots)
for plot in "${plots[@]}"; do
	for rw in randread randwrite; do
		draw "$plot" "$rw"
	done
done
page >"$name.html"
print_targets
printf '\n%s\n' "$(realpath --relative-to=. "$name.html")"
