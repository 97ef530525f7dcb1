# SPDX-License-Identifier: GPL-2.0-only
#
# The tables of a result, as data and as text; page.jq makes HTML of them.

include "figures";

def fixed($digits): . * pow(10; $digits) | round | tostring
	| "0" * ($digits + 1 - length) + . | .[:-$digits] + "." + .[-$digits:];
def rounded: if . >= 100 then round | tostring elif . >= 10 then fixed(1) else fixed(2) end;

# --- what they hold ----------------------------------------------------------

# A cell is a spread, or null. Rows and columns without any are left out. "cell" makes
# one of the row's name, as .name, and the members of the column.
def table($names; $columns; cell):
	[$names[] as $name | {$name, cells: [$columns[] | . + {$name} | cell // null]} | select(.cells | any)] as $rows
	| [$columns | keys[] | select(. as $i | any($rows[]; .cells[$i]))] as $kept
	| {columns: [$columns[$kept[]]], rows: ($rows | map(.cells |= [.[$kept[]]]))};

def rates: devices as $devices | table($devices | keys_unsorted; [
		(("read", "write") as $way | {shape: "rand\($way)-4k-x1", group: "4 KiB \($way)"}
			+ ({head: "IOPS", of: "iops", unit: 1}, {head: "median µs", of: "p50_ns", unit: 1e-3},
				{head: "p99 µs", of: "p99_ns", unit: 1e-3})),
		(("64k", "1m") as $bs | ("read", "write") as $way | {shape: "rand\($way)-\($bs)-x1",
			group: "\($bs | size), MB/s", head: $way, of: "bytes_per_s", unit: 1e-6})
	]; .unit as $unit | $devices[.name][.shape][.of] | scale($unit));

def ratios: targets as $targets | table($targets | by(.of) | keys_unsorted;
	[("4k", "64k", "1m") as $bs | ("read", "write") as $way | {$bs, rw: "rand\($way)", group: ($bs | size), head: $way}];
	. as $at | $targets[] | select(.of == $at.name and .rw == $at.rw and .bs == $at.bs).value);

def all_rates: .figures as $figures | table([$figures[] | keys_unsorted[]] | by(.) | keys_unsorted;
	[$figures | keys_unsorted[] | {device: ., group: "IOPS", head: title}]; $figures[.device][.name].iops);

# [name, value] of what the rates depend on
def conditions: ["accelerator", .meta.accelerator], ["QEMU", (.meta.QEMU // "" | sub("^QEMU emulator version "; ""))],
	["kernel", .meta.kernel], ["CMB access", (.access | select(.read_ps) | map_values(.median / 1000 | rounded)
		| "8 bytes read in \(.read_ps) ns, written in \(.write_ps) ns")]
	| select((.[1] // "") != "");

def note: [rates.rows[].cells[] | values] | (.[0].rounds | length) as $rounds
	| (map(select(.median > 0) | (.min, .max) / .median - 1 | fabs) | max // 0 | . * 100 | round) as $noise
	| "Random requests of one job, " + if $rounds == 1 then "of one round."
		else "medians of \($rounds) rounds; a round differs from the median by up to \($noise) %." end;

def wanted: if .at_least then "at least \(.at_least)" elif .under then "under \(.under)" else "1 +- \(.within)" end;
def target_row: ["\(.bs | size) \(.rw | way): \(.of)", (.value | .median, .min, .max | rounded), wanted,
	if .met then "met" else "missed" end];
def verdict: [targets[].met] | select(length > 0)
	| "targets: \(map(select(.)) | length) met, \(map(select(not)) | length) missed";

# --- how they look -----------------------------------------------------------

def shown: if . then .median | rounded else "-" end;
def left($width): . + " " * ($width - length);
def right($width): " " * ($width - length) + .;

def text($corner): ([$corner, (.rows[].name | title)] | map(length) | max) as $first
	| (.columns | by(.group) | with_entries((.key | length + 2) as $group | .value |= (length as $span
		| map([8, (.head | length + 1), $group / $span] | max | ceil)))) as $widths
	| [$widths[][]] as $width
	| def row($name): to_entries | map(.key as $i | .value | right($width[$i])) | ($name | left($first)) + add;
	("" | left($first)) + ([$widths | to_entries[] | (.value | add) as $all | .key | right($all)] | add),
	(.columns | map(.head) | row($corner)),
	(.rows[] | .name as $name | .cells | map(shown) | row($name | title));
