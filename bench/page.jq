# SPDX-License-Identifier: GPL-2.0-only
#
# The body of a result's page. Argument: $plots, which is SVG.

include "figures";
include "tables";

def about: {
	nvme_cmb: "this driver's disk on the CMB",
	staged: "the same, the controller moves the bytes",
	nvme_pmr: "this driver's disk on the PMR",
	baseline: "a bio-based ramdisk on the same CMB",
	brd: "Linux's RAM disk, in the guest's memory",
	null_blk: "Linux's null_blk (blk-mq), in the guest's memory",
	zram: "Linux's compressed RAM disk, with random data",
	stock_nvme: "Linux's nvme driver, a namespace on the host's tmpfs",
	virtio_blk: "a file on the host's tmpfs",
	virtio_pmem: "a file on the host's tmpfs, mapped into the guest",
	memcpy: "no disk: a file on the guest's tmpfs, mapped by fio"
}[.] // "";

def tr: map(@html "<td>\(.)") | "<tr>" + add;
def facts: "<table class=facts>", (.[] | tr), "</table>";

# more: the HTML of a row's last column
def html($corner; more):
	"<table><tr><th>" + ([.columns | by(.group) | to_entries[] | @html "<th colspan=\(.value | length)>\(.key)"] | add),
	"<tr><th>" + ([$corner, .columns[].head] | map(@html) | join("<th>")),
	(.rows[] | @html "<tr><td>\(.name | title)" + ([.cells[]
			| if . then @html "<td title=\"\(.min | rounded) to \(.max | rounded)\">\(shown)" else "<td>-" end] | add)
		+ more),
	"</table>";
def html($corner): html($corner; "");

([conditions] | facts),
"<h2>Rates and latencies</h2><p>\(note) Point at a figure to see its least and its most.",
(rates | html("device"; @html "<td class=about>\(.name | about)")),
"<details><summary>All shapes</summary><p>A shape is an access, a block size, and a number of jobs (x2: two)
or of requests in flight (uring32: 32, with io_uring).",
(select(.figures.one_of_8) | "one_of_1 is nvme_cmb as the only controller, one_of_8 beside seven idle ones."),
(all_rates | html("shape")),
"</details><details><summary>Host, guest and driver</summary>",
([.meta // {} | to_entries[] | select(.value != "") | [.key, .value]] | facts),
"</details>",

($plots | select(. != "") | "<h2>Plots</h2><p>A bar goes from the least to the most of the rounds. The limit is the cost of
an access, times the number of accesses, plus what null_blk takes for a request without its copy.
<div class=plots>\(.)</div>"),

(select(targets != [])
| "<h2>Ratios</h2><p>Random requests: the median of the ratios of the rounds. Devices are compared by their IOPS,
numbers of jobs by the total of their IOPS.",
(ratios | html("ratio")),
"<details><summary>\(verdict | sub("^t"; "T"))</summary><table>
<tr><th>figure<th>median<th>least<th>most<th>target<th>",
(targets[] | target_row | last as $verdict | tr | sub("<tr>"; "<tr class=\($verdict)>")),
"</table></details>"),
"</html>"
