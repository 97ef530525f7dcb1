#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of pair_nvmet.t for guest "b": use the disk that guest "a" exports.
set -eu # no pipefail, because pattern() writes to closed pipes

# shellcheck source=tests/pair_guest.bash
. tests/pair_guest.bash

readonly CONTROLLER_LOSS_S=600 KEEP_ALIVE_S=5
readonly FREEZE_S=30
# The records that are acknowledged before a fault, and after it
readonly MORE_RECORDS=20

# The disk's name in "a"
readonly DISK_A=/dev/nvme_pmr0

mnt=/mnt
trap 'echo "failed: line $LINENO: $BASH_COMMAND" >&2' ERR
set -E

connect() { # ADDRESS
	nvme connect --transport tcp --traddr "$1" --trsvcid 4420 --nqn $NQN \
		--ctrl-loss-tmo $CONTROLLER_LOSS_S --keep-alive-tmo $KEEP_ALIVE_S --nr-io-queues 2
}

# remote_disk [NQN]: print the name of the disk that "a" exports, or nothing.
remote_disk() {
	local dir
	for dir in /sys/class/nvme-subsystem/*; do
		[ "$(<"$dir/subsysnqn")" = "${1-$NQN}" ] || continue
		find "$dir/" -maxdepth 1 -name 'nvme*n*' -printf '%f\n'
		return
	done
}

has_remote_disk() { # [NQN]
	[ -n "$(remote_disk "$@")" ]
}

# figures: rates and latencies of the PMR and of brd, in "a" itself and from here.
figures() {
	local device local_disk remote rw bs here there
	on_a export_ramdisk
	nvme connect --transport tcp --traddr $ADDRESS_A --trsvcid 4420 --nqn $RAMDISK_NQN \
		--nr-io-queues 2
	wait_for "the RAM disk" has_remote_disk $RAMDISK_NQN
	for device in "PMR $DISK_A $(remote_disk)" "brd $RAMDISK $(remote_disk $RAMDISK_NQN)"; do
		read -r device local_disk remote <<<"$device"
		for bs in 4k 1m; do
			for rw in randread randwrite; do
				read -ra here < <(on_a "figure $local_disk $rw $bs")
				read -ra there < <(figure "/dev/$remote" $rw $bs)
				printf '# %s %s %s: local %.0f %s, %.0f us; remote %.0f, %.0f us; ratio %.2f\n' \
					"$device" $rw $bs "${here[0]}" "$([ $bs = 4k ] && echo IOPS || echo MiB/s)" \
					"${here[1]}" "${there[@]}" "$(jq -n "${there[0]} / ${here[0]}")"
			done
		done
	done
	nvme disconnect --nqn $RAMDISK_NQN
	on_a unexport_ramdisk
}

# paths STATE NUMBER: that number of paths to "a" are in STATE.
paths() {
	local file n=0
	for file in /sys/class/nvme-subsystem/nvme-subsys*/nvme*/state; do
		[ "$(<"${file%/*}/subsysnqn")" != $NQN ] || [ "$(<"$file")" != "$1" ] || n=$((n + 1))
	done
	[ "$n" -eq "$2" ]
}

on_a() { # COMMAND
	on_peer $ADDRESS_A "$1"
}

a_answers() {
	on_a true >/dev/null
}

# start_records: write records, each with fsync(), and count the acknowledgments.
start_records() {
	tests/records write blocks "$disk" "$(acknowledged)" >>"$acknowledgments" &
	background["records"]=$!
}
acknowledgments=/tmp/acknowledgments
: >$acknowledgments

acknowledged() {
	local last
	last=$(sed -n 's/^blocks \([0-9]*\) ok$/\1/p' $acknowledgments | tail -n 1)
	echo "${last:-0}"
}

more_records_than() { # NUMBER
	(($(acknowledged) > $1 + MORE_RECORDS))
}

records_go_on() {
	kill -0 "${background[records]}"
	wait_for "records to be written" more_records_than "$(acknowledged)"
}

# records_are_there: end the writer, and read all that was acknowledged, from "a" itself as well.
# The target does not write through the page cache of "a", which may hold old blocks.
records_are_there() {
	local last
	kill "${background[records]}"
	wait "${background[records]}" || true
	unset "background[records]"
	last=$(acknowledged)
	blockdev --flushbufs "$disk"
	tests/records check blocks "$disk" "$last"
	on_a "blockdev --flushbufs $DISK_A; tests/records check blocks $DISK_A $last"
	echo "# $last records were acknowledged until now"
}

join $ADDRESS_B $SECOND_ADDRESS_B
modprobe nvme-tcp
wait_for "the other guest" a_answers

connect $ADDRESS_A
wait_for "the disk" has_remote_disk
disk=/dev/$(remote_disk)
wait_for_disk "$disk"
[ "$(blockdev --getsize64 "$disk")" -eq $DISK_SIZE ]
ok "nvme-cmb export and nvme connect make a disk of $DISK_SIZE bytes"

mkfs.ext4 -q -F "$disk"
mount "$disk" $mnt
fio --name=files --directory=$mnt --size=4M --bs=4k --rw=randwrite --ioengine=libaio --iodepth=8 \
	--direct=1 --verify=crc32c --verify_fatal=1 >/tmp/fio
umount $mnt
e2fsck -f -n "$disk" >/tmp/fsck
wipefs --quiet --all "$disk"
ok "a file system on it holds verified data"

BATS_TEST_TMPDIR=/tmp fio_verify "$disk" 512 4k 64k
ok "data of all sizes is verified"

pattern whole $DISK_SIZE | dd of="$disk" bs=64k oflag=direct iflag=fullblock status=none
on_a "blockdev --flushbufs $DISK_A; cmp <(pattern whole $DISK_SIZE) $DISK_A"
ok "the other machine's own disk holds the same bytes"
zeroes_holes "$disk" blkdiscard --zeroout
ok "Write Zeroes clears what it names, and no other byte"
zeroes_holes "$disk" blkdiscard
ok "Dataset Management clears what it names, and no other byte"

on_a "trace true"
for _ in {1..5}; do
	on_a "mark a1"
	dd if=/dev/zero of="$disk" bs=4k count=1 oflag=direct conv=notrunc status=none
	on_a "mark a2"
	sync "$disk"
	on_a "mark a3"
	dd if=/dev/zero of="$disk" bs=4k count=1 oflag=direct,dsync conv=notrunc status=none
	on_a "mark a4"
done
on_a "trace false"
order flushes

[ -z "$FULL" ] || figures

start_records
records_go_on
on_a "decode off"
wait_for "the writer to fail" fails kill -0 "${background[records]}"
fails dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct status=none
on_a "decode on"
start_records
records_go_on
ok "while decode is off, requests fail, and afterwards they are served"
records_are_there
ok "no record that was acknowledged is missing after that"

connect $SECOND_ADDRESS_A
wait_for "a second path" paths live 2
start_records
records_go_on
on_a "rm /sys/kernel/config/nvmet/ports/1/subsystems/$NQN"
records_go_on
on_a "ln -s /sys/kernel/config/nvmet/subsystems/$NQN /sys/kernel/config/nvmet/ports/1/subsystems/"
wait_for "both paths" paths live 2
ok "with native multipath, requests go on over the second path"

order freeze $FREEZE_S
sleep $((FREEZE_S / 2))
before=$(acknowledged)
sleep $((FREEZE_S / 4))
[ "$(acknowledged)" -eq "$before" ]
sleep $((FREEZE_S / 2))
records_go_on
records_are_there
ok "requests wait while the other machine is frozen for $FREEZE_S s, and nothing is missing"

start_records
records_go_on
order kill
wait_for "the paths to fail" paths live 0
wait_for "the other guest" a_answers
wait_for "the paths" paths live 2
records_go_on
records_are_there
ok "the other machine was killed: requests wait until it is back, and nothing is missing"

start_records
records_go_on
on_a "unplug"
wait_for "the writer to fail" fails kill -0 "${background[records]}"
on_a "utils/nvme-cmb unexport $DISK_A; replug; export_pmr"
wait_for "the paths" paths live 2
disk=/dev/$(remote_disk)
wait_for_disk "$disk"
start_records
records_go_on
records_are_there
ok "the controller was unplugged: requests fail, and nothing is missing after a new export"

nvme disconnect --nqn $NQN
on_a "utils/nvme-cmb unexport $DISK_A"
[ -z "$(on_a "find /sys/kernel/config/nvmet/{ports,subsystems} -mindepth 1")" ]
ok "nvme-cmb unexport leaves nothing in the NVMe target"
