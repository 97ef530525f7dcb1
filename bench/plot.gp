# SPDX-License-Identifier: GPL-2.0-only
#
# One plot of a result. The caller sets data, output, plot, rw and devices.

# each a name of its own, because a page holds them all
eval sprintf('set terminal svg size 620,420 font "sans-serif,14" background "white" noenhanced name "%s_%s"', \
	plot, rw)
set output output

# a device keeps its look from plot to plot, and ours stands out
all = "nvme_cmb baseline brd null_blk zram stock_nvme virtio_blk virtio_pmem limit nvme_pmr staged"
look(device) = words(all[1:strstrt(all, device) + strlen(device) - 1])
set linetype 1 linecolor rgb "#d62728" linewidth 3   pointtype 7
set linetype 2 linecolor rgb "#ff9f40" linewidth 1.5 pointtype 5
set linetype 3 linecolor rgb "#1f77b4" linewidth 1.5 pointtype 9
set linetype 4 linecolor rgb "#17becf" linewidth 1.5 pointtype 11
set linetype 5 linecolor rgb "#2ca02c" linewidth 1.5 pointtype 13
set linetype 6 linecolor rgb "#9467bd" linewidth 1.5 pointtype 4
set linetype 7 linecolor rgb "#e377c2" linewidth 1.5 pointtype 6
set linetype 8 linecolor rgb "#6b6b6b" linewidth 1.5 pointtype 8
set linetype 9 linecolor rgb "#000000" linewidth 2   pointtype 0 dashtype 2
set linetype 11 linecolor rgb "#006d2c" linewidth 3   pointtype 7
set linetype 10 linecolor rgb "#8c2d04" linewidth 3   pointtype 7

set key outside right center samplen 1.5 spacing 1.1 width -1
set border 3 linecolor rgb "#606060"
set tics nomirror textcolor rgb "#202020"
set grid linecolor rgb "#dddddd" linewidth 1
set logscale x 2
set offsets graph 0.03, graph 0.03, 0, 0

direction = (rw eq "randread") ? "random read" : "random write"
if (plot eq "bandwidth") {
	set title "Bandwidth, ".direction.", one job"
	set xlabel "block size (bytes)"
	set ylabel "MB/s"
	set logscale y 10
} else { if (plot eq "latency") {
	set title "Latency, ".direction.", one job"
	set xlabel "block size (bytes)"
	set ylabel "mean completion time (µs)"
	set logscale y 10
} else { if (plot eq "depth") {
	set title "Depth, ".direction." of 4k, io_uring"
	set xlabel "requests in flight"
	set ylabel "thousand requests a second"
	set logscale y 10
} else {
	set title "Jobs, ".direction." of ".plot[6:]
	set xlabel "jobs"
	set ylabel "total, in times that of one job"
	set yrange [0:*]
}}}

plot for [device in devices] data index device using 1:3:4:5:xtic(2) \
	with yerrorlines linetype look(device) pointsize 0.6 title columnheader(1)
