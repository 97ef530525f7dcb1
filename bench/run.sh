#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make bench": nvme_cmb and its peers in one guest, in turn, round after round. Ends
# with a result in build/bench/, and report.sh's tables and page of it.

# shellcheck source=qemu-configs/debian.sh
. "${BASH_SOURCE%/*}/../qemu-configs/debian.sh"

usage() {
	cat <<'EOF'
Usage: run.sh [OPTION...]
  --quick             only the shapes of the targets, and the devices they compare
  --kernel KERNEL     6.1, 6.12 or sid (default: 6.12)
  --rounds N          (default: 5)
  --runtime MS        for each shape of each device in each round (default: 1000, quick: 300)
Environment: as for qemu-configs/boot.sh.
EOF
}

parse_options() { # ARG...
	want_kernel=6.12 rounds=5 runtime=1000 jobs='targets.fio curves.fio'
	devices=(nvme_cmb staged baseline nvme_pmr brd null_blk zram stock_nvme virtio_blk virtio_pmem one_of_1 one_of_8 memcpy)
	while (($#)); do
		case $1 in
		--quick)
			jobs=targets.fio runtime=300
			devices=(nvme_cmb staged baseline nvme_pmr brd null_blk stock_nvme virtio_pmem one_of_1 one_of_8 memcpy)
			;;
		--kernel) need_value "$@"; want_kernel=$2; shift ;;
		--rounds) need_value "$@"; rounds=$2; shift ;;
		--runtime) need_value "$@"; runtime=$2; shift ;;
		--help) usage; exit ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
}

build_baseline() {
	local build=$checkout/build/$release/baseline
	mkdir -p "$build"
	cp -p "$checkout"/bench/baseline/* "$build"
	as_root build_in_root "$root" "$build" -C "/lib/modules/$release/build" M=/mnt
}

# fio takes some 0.4 s to begin a shape, besides ramp_time
estimate() { # -> seconds
	local shapes
	# shellcheck disable=SC2086 # names of files
	shapes=$(cd "$checkout/bench" && cat $jobs | grep -c '^\[')
	jq -n "30 + $rounds * (${#devices[@]} - 3) * $shapes * ($runtime + 600) / 1000 | round"
}

host_meta() {
	jq -n --arg date "$(date --utc +'%F %H:%M UTC')" --arg accelerator "$accelerator" \
		--arg cpu "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) CPUs" \
		--arg qemu "$("$qemu" --version | head -n 1)" \
		--arg commit "$(git -C "$checkout" describe --always --dirty 2>/dev/null || true)" \
		'{meta: {date: $date, commit: $commit, accelerator: $accelerator, "host CPU": $cpu, QEMU: $qemu}}'
}

parse_options "$@"
[[ $want_kernel == 6.1 || $want_kernel == 6.12 || $want_kernel == sid ]] ||
	die "kernel '$want_kernel' is none to measure: choose 6.1, 6.12 or sid"
qemu=${QEMU:-qemu-system-x86_64}
[[ $qemu != */* || -x $qemu ]] || die "no QEMU in $qemu"
need jq gnuplot "$qemu"
use_kernel "$want_kernel"
phase "Building ($want_kernel)" build_all
phase 'Building the baseline' build_baseline
accelerator=$("$checkout/qemu-configs/boot.sh" --kernel "$want_kernel" --accelerator 2>&1 | sed -n 's/^accelerator: //p')

output=$checkout/build/bench
mkdir -p "$output"
version=$("$qemu" --version | sed -En '1s/.*version ([0-9.]+).*/\1/p')
name=$output/$(date --utc +%Y%m%dT%H%M%S)-$want_kernel-qemu$version
expected=$(estimate)
echo "$rounds rounds of ${#devices[@]} devices: about $((expected / 60)) min $((expected % 60)) s" >&"$progress"

# the images of bench.cfg belong on a tmpfs
host_meta >"$name.lines"
: >"$name.guest"
TMPDIR=/dev/shm "$checkout/qemu-configs/boot.sh" --kernel "$want_kernel" --config bench \
	--results "$name.guest" --deadline $((expected * 4)) -- \
	bench/guest.sh "$jobs" "$rounds" "$runtime" "${devices[@]}"
cat "$name.guest" >>"$name.lines"
jq --slurp -L "$checkout/bench" 'include "figures"; result' "$name.lines" >"$name.json"
rm "$name.lines" "$name.guest"
"$checkout/bench/report.sh" "$name.json"
