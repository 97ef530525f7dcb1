#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The driver's accounting: the files in debugfs, the tracepoint, and the statistics of the
# block layer show what requests were made.
#
# config: cmb pmr
# guest: shared

load lib.bash

DEBUGFS=/sys/kernel/debug/nvme_cmb/$DISK_NAME
TRACING=/sys/kernel/tracing

# Fields of /sys/block/DISK/stat, from 0, as Documentation/block/stat.rst has them
readonly WRITES=4 SECTORS_WRITTEN=6 DISCARDS=11 FLUSHES=15

setup_file() {
	load_driver
}

# stat_of OPERATION: print the number of requests, and of their bytes.
stat_of() {
	awk -v op="$1" '$1 == op { print $2, $3 }' "$DEBUGFS/stats"
}

# enough_accesses: there was at least one access for each eight bytes. There are more if the
# driver repeated a copy that was interrupted. The copy routine of a PMR has no such minimum, and
# there is none if copies are staged.
enough_accesses() {
	awk -v staged="$STAGING" 'NR > 1 && (staged ? $4 : $4 < $3 / 8) { exit 1 }' \
		"$DEBUGFS/stats"
}

# shown NAME=VALUE...: debugfs shows these values of registers and fields.
shown() {
	local pair
	for pair in "$@"; do
		echo "$pair"
		[ "$(awk -v name="${pair%=*}" '$1 == name { print $2; exit }' \
			"$DEBUGFS/registers")" = "${pair#*=}" ]
	done
}

cmb_registers_are_shown() {
	local cmbmsc=1 # CRE
	# CMSE, and the CMB's address for commands
	[ -z "$STAGING" ] || cmbmsc=$((cmbmsc | 2 | $(bar "$BAR" "$(controller)")))
	shown CMBS=0x1 CMBLOC=0x00000062 BIR=0x2 CMBSZ=0x0001021d SZ=0x10 SZU=0x2 \
		"CMBMSC=$(printf 0x%016x $cmbmsc)" CRE=0x1 CBAI=0x0 PMRCAP=
}

pmr_registers_are_shown() {
	shown PMRS=0x1 PMRCAP=0x01000898 PMRWBM=0x2 PMRCTL=0x00000001 \
		PMRSTS=0x00000000 NRDY=0x0
}

@test "registers are shown field by field, as the device has them" {
	cat "$DEBUGFS/registers"
	shown VS=0x00010400 MJR=0x1 EN=0x1 RDY=0x1 IOSQES=0x6
	"${KIND}"_registers_are_shown
}

@test "nothing is counted unless asked for" {
	[ "$(cat "$DEBUGFS/accounting")" = 0 ]
	dd if="$DISK" of=/dev/null bs=4k count=4 iflag=direct status=none
	[ "$(stat_of read)" = "0 0" ]
}

@test "requests, bytes and accesses are counted" {
	echo 1 >"$DEBUGFS/accounting"
	dd if="$DISK" of=/dev/null bs=4k count=3 iflag=direct status=none
	[ "$(stat_of read)" = "3 12288" ]
	dd if=/dev/zero of="$DISK" bs=64k count=2 oflag=direct status=none
	[ "$(stat_of write)" = "2 131072" ]
	blkdiscard --offset 4096 --length 512 "$DISK"
	[ "$(stat_of zero)" = "1 512" ]
	cat "$DEBUGFS/stats"
	[ "$KIND" = pmr ] || enough_accesses
}

# Other requests, and a reset of the device, wait until a request is served.
@test "a discard of the whole disk comes in requests of 1 MiB, or of what one command can move" {
	local before bytes=$MIB
	[ "$KIND" = pmr ] || bytes=$((MIB / 2)) # QEMU's default MDTS
	before=$(stat_of zero)
	blkdiscard "$DISK"
	[ "$(stat_of zero)" = "$((${before% *} + DISK_SIZE / bytes)) $((${before#* } + DISK_SIZE))" ]
}

@test "each request is in the histogram of latencies once" {
	# Wait, because udev reads a disk that was written to.
	settle
	cat "$DEBUGFS/stats" "$DEBUGFS/latency"
	[ "$(awk '$1 == "read" { n += $3 } END { print n }' \
		"$DEBUGFS/latency")" = "$(stat_of read | cut -d' ' -f1)" ]
	# No request is that quick, nor did one take more than 16 s.
	awk -v min_ns=64 -v max_ns=$((1 << 34)) \
		'$1 == "read" && ($2 < min_ns || $2 > max_ns) { exit 1 }' "$DEBUGFS/latency"
}

@test "accounting that is switched off is empty again" {
	echo 0 >"$DEBUGFS/accounting"
	[ "$(stat_of read)" = "0 0" ]
	[ "$(wc -l <"$DEBUGFS/latency")" -eq 1 ]
	fails tee "$DEBUGFS/accounting" <<<2
}

@test "a traced transfer has its place, length, accesses, time and path" {
	local accesses=512 path
	path=$(cat /sys/block/"$DISK_NAME"/"$KIND"/copy_read)
	[ "$KIND" = cmb ] || accesses="[0-9]+"
	[ -z "$STAGING" ] || accesses=0 path=staged
	settle
	echo >$TRACING/trace
	echo 1 >$TRACING/events/nvme_cmb/nvme_cmb_transfer/enable
	# A request that is interrupted may take more accesses. One of five has to be exact.
	for _ in 1 2 3 4 5; do
		dd if="$DISK" of=/dev/null bs=4k skip=5 count=1 iflag=direct \
			status=none
	done
	echo 0 >$TRACING/events/nvme_cmb/nvme_cmb_transfer/enable
	grep nvme_cmb_transfer $TRACING/trace
	grep -Eq "nvme_cmb_transfer: $(tr : , </sys/block/"$DISK_NAME"/dev) read\
 pos=20480 len=4096 accesses=$accesses ns=[1-9][0-9]+\
 path=$path" $TRACING/trace
}

@test "queue/iostats switches the statistics that all disks have" {
	local on before
	settle
	for on in 0 1; do
		echo $on >"/sys/block/$DISK_NAME/queue/iostats"
		before=$(served "$DISK_NAME")
		dd if="$DISK" of=/dev/null bs=4k count=3 iflag=direct status=none
		[ "$(served "$DISK_NAME")" -eq $((before + 3 * on)) ]
	done
}

# events_of EVENT RWBS: print how many such events of the disk the block layer has traced.
events_of() {
	grep -cE "$1: $(tr : , </sys/block/"$DISK_NAME"/dev) $2" $TRACING/trace || true
}

# A flush does not count as a write. A disk without a cache gets no flushes.
@test "ten writes with fsync are ten writes, and ten flushes if the disk has a cache" {
	local -a before after
	local writes=10 flushes=0 i
	[ "$KIND" = cmb ] || flushes=$writes
	settle
	# udev reads a disk that was written to, unless it is locked.
	exec 8<"$DISK"
	flock 8
	echo >$TRACING/trace
	echo 1 >$TRACING/events/block/enable
	read -ra before <"/sys/block/$DISK_NAME/stat"
	for ((i = 0; i < writes; i++)); do
		dd if=/dev/zero of="$DISK" bs=4k seek=$i count=1 oflag=direct conv=fsync status=none
	done
	read -ra after <"/sys/block/$DISK_NAME/stat"
	echo 0 >$TRACING/events/block/enable
	exec 8<&-
	grep -E "block_(bio|rq)_" $TRACING/trace
	[ $((after[WRITES] - before[WRITES])) -eq $writes ]
	[ $((after[SECTORS_WRITTEN] - before[SECTORS_WRITTEN])) -eq $((writes * BLOCK / 512)) ]
	[ $((after[DISCARDS] - before[DISCARDS])) -eq 0 ]
	[ $((after[FLUSHES] - before[FLUSHES])) -eq $flushes ]
	[ "$(events_of block_bio_queue "W[^ ]* ")" -eq $writes ]
	[ "$(events_of block_bio_queue "F[^ ]* ")" -eq $flushes ]
}

@test "the directory is removed with the disk, also while accounting is on" {
	echo 1 >"$DEBUGFS/accounting"
	unload_driver
	[ ! -e /sys/kernel/debug/nvme_cmb ]
	load_driver
	[ "$(cat "$DEBUGFS/accounting")" = 0 ]
}
