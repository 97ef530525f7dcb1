#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The measuring, in a guest of bench.cfg: in every round every device meets every
# shape, forward in one, backward in the next, so that a machine growing
# slower or faster is nobody's advantage. Figures leave as lines of JSON on ttyS3.
#
# shellcheck disable=SC2016 # the dollars in single quotes are jq's

# shellcheck source=qemu-configs/lib.sh
. "${BASH_SOURCE%/*}/../qemu-configs/lib.sh"
# shellcheck source=qemu-configs/guest/pci.bash
. "${BASH_SOURCE%/*}/../qemu-configs/guest/pci.bash"

usage() {
	cat <<'EOF'
Usage: guest.sh JOBS ROUNDS MS DEVICE...
  JOBS       the shapes: names of .fio files beside this one
  MS         for each of them
DEVICE: nvme_cmb, staged, which is the same with staged copies, baseline, nvme_pmr, brd, null_blk, zram, stock_nvme, virtio_blk,
        virtio_pmem; one_of_1 and one_of_8 are nvme_cmb at 4k, alone and beside seven
        idle ones; memcpy is no device, but a file on tmpfs through a mapping, at 1m
EOF
}

null_blk=/sys/kernel/config/nullb/nullb0
export SPAN=48M ENGINE DIRECT
declare -A disks=(
	[nvme_cmb]=/dev/nvme_cmb0 [staged]=/dev/nvme_cmb0 [one_of_1]=/dev/nvme_cmb0 [one_of_8]=/dev/nvme_cmb0
	[baseline]=/dev/cmb_baseline0
	[nvme_pmr]=/dev/nvme_pmr0
	[brd]=/dev/ram0
	[null_blk]=/dev/nullb0
	[zram]=/dev/zram0
	[stock_nvme]=/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_stock
	[virtio_blk]=/dev/disk/by-id/virtio-bench
	[virtio_pmem]=/dev/pmem0
	[memcpy]=/dev/shm/memcpy
)

send() { # JQ-ARG...
	jq --compact-output --monochrome-output "$@" >/dev/ttyS3
}

# --- devices -----------------------------------------------------------------

present() { # DEVICE... -> those that this kernel has modules for
	local device
	for device; do
		[[ $device != virtio_pmem ]] || modprobe -nqa virtio_pmem nd_pmem || continue
		echo "$device"
	done
}

# What is to be done once. The CMB's drivers take turns, and are bound by attach.
set_up() { # DEVICE
	case $1 in
	nvme_cmb) modprobe nvme_cmb ;;
	baseline) insmod ../cmb_baseline.ko ;;
	brd) modprobe brd rd_nr=1 rd_size=65536 ;;
	null_blk)
		modprobe null_blk nr_devices=0
		mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
		mkdir "$null_blk"
		echo 64 >"$null_blk/size"
		echo 1 >"$null_blk/memory_backed"
		echo 2 >"$null_blk/queue_mode" # blk-mq
		echo 0 >"$null_blk/irqmode"    # completes where it was queued, as nvme_cmb does
		echo 1 >"$null_blk/power"
		;;
	zram)
		modprobe zram
		echo 64M >/sys/block/zram0/disksize
		;;
	stock_nvme) give "$namespace" nvme ;;
	virtio_pmem) modprobe virtio_pmem ;;
	nvme_pmr) give "${cmbs[0]}" nvme_cmb ;;
	memcpy) truncate -s 48M "${disks[$1]}" ;;
	esac
	settle
	[[ ! -e ${disks[$1]} ]] || fill "${disks[$1]}"
	unbind "${cmbs[@]}"
}

# Reading what was never written is no reading, and zram keeps no page of zeros
fill() { # DISK
	for _ in {1..48}; do cat /tmp/random; done |
		dd of="$1" bs=1M iflag=fullblock conv=notrunc,fsync status=none
}

give() { # FUNCTION DRIVER
	bind "$2" "$1" || die "$2 did not take $1: $(dmesg | tail -n 3)"
}

# Set DISK, ENGINE and DIRECT, and shapes to those that the device takes
attach() { # DEVICE
	local function
	export DISK=${disks[$1]}
	ENGINE=psync DIRECT=1
	shapes=("${all_shapes[@]}")
	case $1 in
	nvme_cmb | nvme_pmr) give "${cmbs[0]}" nvme_cmb ;;
	staged)
		give "${cmbs[0]}" nvme_cmb
		echo 1 >/sys/block/nvme_cmb0/cmb/staging
		;;
	baseline) give "${cmbs[0]}" cmb_baseline ;;
	one_of_1)
		give "${cmbs[0]}" nvme_cmb
		shapes=(rand{read,write}-4k-x1)
		;;
	one_of_8)
		for function in "${cmbs[@]}"; do
			give "$function" nvme_cmb
		done
		shapes=(rand{read,write}-4k-x1)
		;;
	memcpy)
		ENGINE=mmap DIRECT=0
		shapes=(rand{read,write}-1m-x1)
		;;
	zram) # has blocks of 4 KiB
		mapfile -t shapes < <(printf '%s\n' "${shapes[@]}" | grep -vE -- '-(512|2k)-')
		;;
	esac
}

# --- measuring ---------------------------------------------------------------

# Picoseconds, because nanoseconds are coarse for a limit within 5 %
access_cost() {
	local cmb=/sys/block/nvme_cmb0/cmb ns
	if [[ -e $cmb/read_access_ps ]]; then
		send -n --argjson round "$1" --argjson read "$(<$cmb/read_access_ps)" \
			--argjson write "$(<$cmb/write_access_ps)" \
			'{access: {$round, read_ps: $read, write_ps: $write}}'
	else
		# one figure for both ways, or first reading and then writing
		mapfile -t ns < <(dmesg | grep 'nvme_cmb0: ' | tail -n 1 | grep -oE '[0-9]+ ns')
		send -n --argjson round "$1" --argjson read "${ns[0]% ns}000" \
			--argjson write "${ns[-1]% ns}000" '{access: {$round, read_ps: $read, write_ps: $write}}'
	fi
}

run_round() { # ROUND
	local order=("${devices[@]}") device shapes
	((round % 2)) || mapfile -t order < <(printf '%s\n' "${devices[@]}" | tac)
	for device in "${order[@]}"; do
		echo "$device"
		attach "$device"
		[[ $device != nvme_cmb ]] || access_cost "$1"
		# from a pipe, because fio forgets [global] from one file to the next
		cat common.fio "${jobs[@]}" |
			fio --output=/tmp/fio.json --output-format=json "${shapes[@]/#/--section=}" -
		unbind "${cmbs[@]}"
		send --argjson round "$1" --arg device "$device" '
			.jobs[] | {$round, $device, shape: .jobname} + (.mixed |
				{iops, bytes_per_s: .bw_bytes, mean_ns: .clat_ns.mean,
				 p50_ns: .clat_ns.percentile."50.000000",
				 p99_ns: .clat_ns.percentile."99.000000"})' /tmp/fio.json
	done
}

describe_guest() {
	local cmb=/sys/block/nvme_cmb0/cmb
	attach nvme_cmb
	send -n --arg release "$(uname -r)" --arg fio "$(fio --version)" \
		--arg parameters "$(cd /sys/module/nvme_cmb/parameters && grep . ./* | sed 's,^\./,,;s/:/=/' | paste -sd' ')" \
		--arg copy "$(cat "$cmb"/copy_{read,write} 2>/dev/null | paste -sd/)" \
		--arg log "$(dmesg | sed -n 's/.*\(nvme_cmb0: .*\)/\1/p' | tail -n 1)" \
		--arg clock "$(</sys/devices/system/clocksource/clocksource0/current_clocksource)" \
		'{meta: {kernel: $release, fio: $fio, "driver parameters": $parameters,
			"copy routines, read/write": $copy, "driver log": $log, "guest clock": $clock}}'
	unbind "${cmbs[@]}"
}

prepare() {
	local device
	stty -F /dev/ttyS3 raw
	unbind "${cmbs[@]}" "$namespace"
	head -c 1M /dev/urandom >/tmp/random
	for device in "${devices[@]}"; do
		echo "$device"
		set_up "$device"
	done
	describe_guest
}

cd "${0%/*}"
(($# > 3)) || { usage >&2; exit 2; }
read -ra jobs <<<"$1"
rounds=$2
export RUNTIME=${3}ms
mapfile -t devices < <(present "${@:4}")
# in the order of bench.cfg: the one under test, the small ones, the one without
mapfile -t cmbs < <(controllers)
namespace=${cmbs[-1]}
unset 'cmbs[-1]'
mapfile -t all_shapes < <(sed -n 's/^\[\(.*\)\]$/\1/p' "${jobs[@]}")

phase 'Setting up all devices' prepare
for ((round = 1; round <= rounds; round++)); do
	phase "Round $round of $rounds" run_round "$round"
done
