# SPDX-License-Identifier: GPL-2.0-only
#
# The data of one plot of a result, for plot.gp: per device a block that gnuplot
# finds by its name: its title, then lines of x, its label, and the median, least and
# most of y, which may have a logarithmic scale. One point is no curve, and no block.
# Arguments: $plot, which is bandwidth, latency, depth or jobs_BS, and $rw.

include "figures";

def megabytes: .bytes_per_s | scale(1e-6);
def microseconds: .mean_ns | scale(1e-3);
def kiops: .iops | scale(1e-3);

# {x, label, y} of each of a device's shapes that belong in this plot
def points: . as $shapes | to_entries[] | .value as $figures | .key | shape | select(.rw == $rw)
	| if $plot == "depth" then
		select(.how == "uring") | {x: .count, label: .count, y: ($figures | kiops)}
	elif $plot | startswith("jobs_") then
		select(.how == "x" and .bs == $plot[5:]) | {x: .count, label: .count,
			y: ($figures.iops | over($shapes["\($rw)-\($plot[5:])-x1"].iops))}
	else
		select(.how == "x" and .count == 1) | {x: .bytes, label: .bs,
			y: ($figures | if $plot == "bandwidth" then megabytes else microseconds end)}
	end;

def limit_points: . as $result | [.figures.nvme_cmb // {} | points] | map(.x as $bytes | .y = ($result
	| if $plot == "bandwidth" then limit_ns($rw; $bytes; period_ns) | with(.; $bytes * 1e3 / .[0])
	else limit_ns($rw; $bytes; .mean_ns) | scale(1e-3) end));

(devices | map_values([points | select(.y.min > 0)])),
(select($plot == "bandwidth" or $plot == "latency") | {limit: limit_points})
| to_entries[] | select(.value | length > 1)
| "# \(.key)", "\"\(.key | title)\"", (.value | sort_by(.x)[] | [.x, .label, .y.median, .y.min, .y.max] | @tsv), "", ""
