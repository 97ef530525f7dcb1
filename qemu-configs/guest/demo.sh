#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The demonstration of "make run", in a guest: nvme_cmb takes the controller over from the stock
# driver. Then the CMB, or the PMR if there is no CMB, is a disk with a file system. All data on
# it is verified.

# shellcheck source=qemu-configs/lib.sh
. "${BASH_SOURCE%/*}/../lib.sh"

mnt=/mnt
work=/tmp

show_stock_driver() {
	nvme list
	nvme id-ctrl /dev/nvme0 | grep -E '^(vid|sn|mn|fr|mdts|ver) '
	echo "driver    : $(basename "$(readlink -f "$device/driver")"), PCI function ${device##*/}"
}

# half_of_free: print half of the free space in KiB, but not more than is quick to write.
half_of_free() {
	local free_kib
	free_kib=$(df --output=avail -k "$mnt" | tail -n 1)
	echo $((free_kib / 2 < 32768 ? free_kib / 2 : 32768))
}

fill() {
	dd if=/dev/urandom of="$work/random" bs=1K count="$(half_of_free)" iflag=fullblock status=none
	(cd "$work" && sha256sum random >random.sha256)
	dd if="$work/random" of="$mnt/random" bs=64K conv=fsync
}

# verify: write the blocks of a file in random order, and verify them in another order.
verify() {
	local size rw
	size=$(half_of_free)k
	for rw in randwrite randread; do
		fio --name="$rw" --rw="$rw" --filename="$mnt/fio" --size="$size" --bs=4k \
			--ioengine=psync --direct=1 --verify=crc32c --verify_fatal=1
	done
}

found_intact() {
	e2fsck -f -n "$disk"
	mount "$disk" "$mnt"
	(cd "$mnt" && sha256sum -c "$work/random.sha256")
	umount "$mnt"
}

# measure: measure the disk without the file system. This comes last, because it overwrites it.
measure() {
	local bs rw
	for bs in 4k 64k 1m; do
		for rw in randread randwrite; do
			echo "$rw $bs"
			fio --name="$rw $bs" --rw="$rw" --bs="$bs" --filename="$disk" \
				--ioengine=psync --direct=1 --time_based --runtime=1 --ramp_time=200ms \
				--output-format=json --output="$work/$bs.$rw"
		done
	done
}

figures() {
	printf '\n%-18s %9s %9s %12s\n' "$disk" IOPS MiB/s 'latency (us)'
	jq -r '.jobs[0] | (if .read.total_ios > 0 then .read else .write end) as $way |
		"\(.jobname) \($way.iops) \($way.bw_bytes / 1048576) \($way.clat_ns.mean / 1000)"' \
		"$work"/{4k,64k,1m}.{randread,randwrite} |
		while read -r rw bs iops bandwidth latency; do
			printf '%-18s %9.0f %9.1f %12.1f\n' "$rw $bs" "$iops" "$bandwidth" "$latency"
		done
}

device=$(readlink -f /sys/class/nvme/nvme0/device)
show_stock_driver
phase 'nvme_cmb takes over' "${0%/*}/take_over.sh"
dmesg | sed -n 's/.*\(nvme_cmb .*'"${device##*/}"'\)/\1/p'
disks=("$device"/nvme_cmb/*/nvme_[cp]m[br][0-9]*)
disk=/dev/${disks[0]##*/}
[[ -b $disk ]] || die 'no disk appeared'
phase 'mkfs.ext4' mkfs.ext4 -F "$disk"
phase 'mount' mount "$disk" "$mnt"
phase 'dd' fill
phase 'fio, data verified' verify
phase 'umount' umount "$mnt"
phase 'found intact' found_intact
phase 'fio, figures' measure
figures
