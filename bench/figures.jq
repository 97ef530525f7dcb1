# SPDX-License-Identifier: GPL-2.0-only
#
# From the lines that a bench leaves to its result, and from a result to what is to
# be seen: limits and targets. Figures keep their rounds, in order, because two
# devices are compared within a round and a ratio's spread is that of the rounds.

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def spread: {median: median, min: min, max: max, rounds: .};

# a result: meta, cost per access, and figures.DEVICE.SHAPE.QUANTITY
# each in the order in which it was first met; a quantity that a round lacks is left out
def by(f): reduce .[] as $line ({}; .[$line | f] += [$line]);
def quantities: sort_by(.round) | . as $rounds | .[0] // {} | del(.round, .device, .shape)
	| with_entries(.value = (.key as $key | $rounds | map(.[$key])) | select(.value | all) | .value |= spread);
def result: {
	meta: (map(.meta // empty) | add),
	access: (map(.access // empty) | quantities),
	figures: (map(select(has("shape"))) | by(.device) | map_values(by(.shape) | map_values(quantities)))
};

# randread-64k-x2: how it reads and writes, bytes at a time, jobs or io_uring's depth
def bytes: capture("(?<n>[0-9]+)(?<unit>[km]?)") | (.n | tonumber) * {"": 1, k: 1024, m: 1048576}[.unit];
def shape: capture("(?<rw>.*)-(?<bs>.*)-(?<how>x|uring)(?<count>.*)")
	| . + {bytes: (.bs | bytes), count: (.count | tonumber)};
def way: if endswith("read") then "read" else "write" end;

# a figure that follows from others, round by round; without one of them there is none
def with($other; f): select(. and $other) | [.rounds, $other.rounds] | transpose | map(. as [$a, $b] | f) | spread;
def scale($k): values | .rounds | map(. * $k) | spread;
def over($other): select($other.min > 0) | with($other; .[0] / .[1]);

# The limit, in ns: every access at its cost, and what null_blk takes for a
# request less its own copy. That copy is what null_blk's time grows by from 4 to
# 64 KiB, byte for byte; see MODEL.md. time is .mean_ns, in the device alone, or
# period_ns, with fio's own part.
def period_ns: .iops | select(.min > 0) | with(.; 1e9 / .[0]);
def block_ns($rw; time): .figures.null_blk as $null
	| ($null["\($rw)-4k-x1"] | time) as $small | $null["\($rw)-64k-x1"] | time
	| with($small; (.[1] * 16 - .[0]) / 15);
def limit_ns($rw; $bytes; time): block_ns($rw; time) as $block
	| .access["\($rw | way)_ps"] | with($block; .[0] / 1000 * $bytes / 8 + .[1]);

# The targets of README.md here, each {figure, value, at_least or under or within, met}
def targets: . as $result | .figures as $f |
	def target($figure; $value; $wanted): {figure: $figure, value: $value} + $wanted
		| .met = ($value.median | if $wanted.at_least then . >= $wanted.at_least
			elif $wanted.under then . < $wanted.under else . - 1 | fabs <= $wanted.within end);
	def each($sizes): ("randread", "randwrite") as $rw | $sizes[] as $bs | {$rw, $bs, shape: "\($rw)-\($bs)"};
	[
		(each(["4k", "64k", "1m"]) | target("\(.rw) \(.bs): nvme_cmb / first version";
			"\(.shape)-x1" as $s | $f.nvme_cmb[$s].iops | over($f.baseline[$s].iops);
			{at_least: {"4k": 1.7, "64k": 1.9, "1m": 1.95}[.bs]})),
		(each(["4k", "64k", "1m"]) | target("\(.rw) \(.bs): limit / measured time";
			.rw as $rw | "\(.shape)-x1" as $s | (.bs | bytes) as $bytes
				| $result | limit_ns($rw; $bytes; .mean_ns) | over($f.nvme_cmb[$s].mean_ns);
			{at_least: (if .bs == "4k" then 1 else 0.95 end)})),
		(each(["4k", "64k", "1m"]) | target("\(.rw) \(.bs): 2 jobs / 1 job";
			.shape as $s | $f.nvme_cmb["\($s)-x2"].iops | over($f.nvme_cmb["\($s)-x1"].iops);
			{at_least: 1})),
		(each(["4k"]) | target("\(.rw) \(.bs): p99 / p50";
			$f.nvme_cmb["\(.shape)-x1"] | .p50_ns as $p50 | .p99_ns | over($p50); {under: 3})),
		(each(["4k"]) | target("\(.rw) \(.bs): nvme_cmb / stock nvme driver";
			"\(.shape)-x1" as $s | $f.nvme_cmb[$s].iops | over($f.stock_nvme[$s].iops); {at_least: 4})),
		(each(["4k"]) | target("\(.rw) \(.bs): of 8 controllers / the only one";
			"\(.shape)-x1" as $s | $f.one_of_8[$s].iops | over($f.one_of_1[$s].iops); {within: 0.05}))
	] + if $f.nvme_pmr then [
		(each(["4k", "64k", "1m"]) | target("\(.rw) \(.bs): nvme_pmr / brd";
			"\(.shape)-x1" as $s | $f.nvme_pmr[$s].iops | over($f.brd[$s].iops);
			{at_least: {"4k": 1, "64k": 1.25, "1m": 1.25}[.bs]})),
		(each(["4k"]) | target("\(.rw) \(.bs), io_uring, 32 at once: nvme_pmr / brd";
			"\(.shape)-uring32" as $s | $f.nvme_pmr[$s].iops | over($f.brd[$s].iops); {at_least: 1})),
		(each(["4k", "64k", "1m"]) | select($f.virtio_pmem) | target("\(.rw) \(.bs): nvme_pmr / virtio-pmem";
			"\(.shape)-x1" as $s | $f.nvme_pmr[$s].iops | over($f.virtio_pmem[$s].iops);
			{at_least: {randread: 3, randwrite: 1}[.rw]})),
		(each(["1m"]) | target("\(.rw) \(.bs): nvme_pmr / memcpy";
			"\(.shape)-x1" as $s | $f.nvme_pmr[$s].iops | over($f.memcpy[$s].iops); {at_least: 0.8})),
		(each(["4k"]) | target("\(.rw) \(.bs): nvme_pmr, 2 jobs / 1 job";
			.shape as $s | $f.nvme_pmr["\($s)-x2"].iops | over($f.nvme_pmr["\($s)-x1"].iops);
			{at_least: 1.7}))
	] else [] end;
def wanted: if .at_least then "at least \(.at_least)" elif .under then "under \(.under)" else "1 +- \(.within)" end;

# The table for the terminal, or anything else that takes columns
def rounded: if . >= 100 then round elif . >= 10 then . * 10 | round / 10 else . * 100 | round / 100 end | tostring;
def target_row: [.figure, (.value | .median, .min, .max | rounded), wanted, if .met then "met" else "missed" end];
