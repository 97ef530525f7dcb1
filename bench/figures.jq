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

# a device's name for readers: "baseline" does not say of what
def title: {staged: "nvme_cmb, staged", baseline: "first version", stock_nvme: "stock nvme", virtio_blk: "virtio-blk", virtio_pmem: "virtio-pmem"}[.] // .;
# one_of_1 and one_of_8 are nvme_cmb again
def devices: .figures | del(.one_of_1, .one_of_8);

# randread-64k-x2: how it reads and writes, bytes at a time, jobs or io_uring's depth
def bytes: capture("(?<n>[0-9]+)(?<unit>[km]?)") | (.n | tonumber) * {"": 1, k: 1024, m: 1048576}[.unit];
def shape: capture("(?<rw>.*)-(?<bs>.*)-(?<how>x|uring)(?<count>.*)")
	| . + {bytes: (.bs | bytes), count: (.count | tonumber)};
def way: if endswith("read") then "read" else "write" end;
def size: sub("k$"; " KiB") | sub("m$"; " MiB");

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

# The targets of README.md here: {of, rw, bs, value, at_least or under or within, met}
def targets: . as $result | .figures as $f | ["4k", "64k", "1m"] as $all |
	def each($sizes): {rw: ("randread", "randwrite"), bs: $sizes[]};
	def figures($device; $how): $f[$device]["\(.rw)-\(.bs)-\($how)"];
	def ratio($a; $b; $how): figures($b; $how).iops as $of_b | figures($a; $how).iops | over($of_b);
	def scaling($device): figures($device; "x1").iops as $alone | figures($device; "x2").iops | over($alone);
	def target($of; value; $wanted): . + {$of, value: value} + $wanted
		| .met = (.value.median | if $wanted.at_least then . >= $wanted.at_least
			elif $wanted.under then . < $wanted.under else . - 1 | fabs <= $wanted.within end);
	[
		(each($all) | target("nvme_cmb / first version"; ratio("nvme_cmb"; "baseline"; "x1");
			{at_least: {"4k": 1.7, "64k": 1.9, "1m": 1.95}[.bs]})),
		(each($all) | target("staged / not staged"; ratio("staged"; "nvme_cmb"; "x1"); {at_least: 0.97})),
		(each(["64k", "1m"]) | target("staged / first version"; ratio("staged"; "baseline"; "x1");
			{at_least: {"64k": 4, "1m": 10}[.bs]})),
		(each(["64k", "1m"]) | target("staged / stock nvme"; ratio("staged"; "stock_nvme"; "x1");
			{at_least: {"64k": 1, "1m": 0.5}[.bs]})),
		(each(["1m"]) | target("staged / stock nvme, io_uring, 8 at once"; ratio("staged"; "stock_nvme"; "uring8");
			{at_least: 0.6})),
		(each(["4k"]) | target("staged, 4 jobs / not staged, 1 job"; figures("nvme_cmb"; "x1").iops as $one
			| figures("staged"; "x4").iops | over($one); {at_least: 1})),
		(each(["4k"]) | target("nvme_cmb / stock nvme"; ratio("nvme_cmb"; "stock_nvme"; "x1"); {at_least: 4})),
		(each($all) | target("the limit / nvme_cmb's time"; figures("nvme_cmb"; "x1").mean_ns as $time
			| .rw as $rw | (.bs | bytes) as $bytes | $result | limit_ns($rw; $bytes; .mean_ns) | over($time);
			{at_least: (if .bs == "4k" then 1 else 0.95 end)})),
		(each($all) | target("nvme_cmb, 2 jobs / 1 job"; scaling("nvme_cmb"); {at_least: 1})),
		(each(["4k"]) | target("nvme_cmb, p99 / p50"; figures("nvme_cmb"; "x1") | .p50_ns as $p50 | .p99_ns | over($p50);
			{under: 3})),
		(each(["4k"]) | target("one of 8 controllers / the only one"; ratio("one_of_8"; "one_of_1"; "x1"); {within: 0.05})),
		(each($all) | target("nvme_pmr / brd"; ratio("nvme_pmr"; "brd"; "x1");
			{at_least: {"4k": 1, "64k": 1.25, "1m": 1.25}[.bs]})),
		(each(["4k"]) | target("nvme_pmr / brd, io_uring, 32 at once"; ratio("nvme_pmr"; "brd"; "uring32"); {at_least: 1})),
		(each($all) | target("nvme_pmr / virtio-pmem"; ratio("nvme_pmr"; "virtio_pmem"; "x1");
			{at_least: {randread: 3, randwrite: 1}[.rw]})),
		(each(["1m"]) | target("nvme_pmr / memcpy"; ratio("nvme_pmr"; "memcpy"; "x1"); {at_least: 0.8})),
		(each(["4k"]) | target("nvme_pmr, 2 jobs / 1 job"; scaling("nvme_pmr"); {at_least: 1.7}))
	];
