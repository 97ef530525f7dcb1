# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the files about staged copies share

export STAGED=/sys/block/$DISK_NAME/cmb DEBUGFS=/sys/kernel/debug/nvme_cmb/$DISK_NAME

# stage_every_size: stage all reads and writes, whatever is faster.
stage_every_size() {
	echo 1 | tee "$STAGED/staged_read_min" >"$STAGED/staged_write_min"
}

# count_accesses: begin to count the accesses of the CPU to the CMB.
count_accesses() {
	echo 0 >"$DEBUGFS/accounting"
	echo 1 >"$DEBUGFS/accounting"
}

# no_accesses: since count_accesses there were requests, and the CPU has not accessed the CMB.
no_accesses() {
	cat "$DEBUGFS/stats"
	awk 'NR > 1 { requests += $2; accesses += $4 } END { exit !requests || accesses }' \
		"$DEBUGFS/stats"
}

# staged_holds_data: fio verifies sizes and alignments in memory that all take the controller's
# commands. 5632 bytes are eleven blocks, so that buffers begin at any block of a page.
staged_holds_data() {
	count_accesses
	fio_verify "$DISK" 512 4k 64k 1m
	fio --name=unaligned --filename="$DISK" --direct=1 --rw=randwrite --bs=5632 --size=2816k \
		--iomem_align=512 --ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1 \
		>"$BATS_TEST_TMPDIR/out" || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
	no_accesses
}

# set_staging VALUE: write VALUE to staging, as soon as udev does not have the disk open any more.
# False if the driver refuses it for another reason.
set_staging() {
	wait_for "nobody to have the disk open" try_staging "$1"
	[ -z "$staging_error" ] || { echo "$staging_error"; return 1; }
}

try_staging() { # VALUE
	staging_error=$({ echo "$1" >"$STAGED/staging"; } 2>&1) || [[ $staging_error != *busy* ]]
}

# a_copy_is_staged: the controller moves the bytes of a write and of a read, behind the first 6 MiB.
a_copy_is_staged() {
	count_accesses
	dd if=/dev/zero of="$DISK" bs=64k count=1 seek=100 oflag=direct conv=notrunc status=none
	dd if="$DISK" of=/dev/null bs=64k count=1 skip=100 iflag=direct status=none
	no_accesses
}

# staged_serves_during TIMES COMMAND...: do COMMAND so often under load. No request fails.
staged_serves_during() {
	local i times=$1
	shift
	start_io "$DISK_NAME"
	for ((i = 0; i < times; i++)); do
		wait_for_io "$DISK_NAME"
		"$@"
	done
	wait_for_io "$DISK_NAME"
	stop_io "$DISK_NAME"
	note "$(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -eq 0 ]
	[ "$(io_count "$DISK_NAME" failed_writes)" -eq 0 ]
	[ "$(io_count "$DISK_NAME" unread)" -eq 0 ]
	# A command whose interrupt is lost takes the time-out of requests, 30 s.
	[ "$(io_count "$DISK_NAME" slowest_ms)" -lt 20000 ]
	wait_for "copies to be staged again" a_copy_is_staged >/dev/null
}

# throttle BYTES: bound the namespace to so many bytes in a second, 0 for no bound.
throttle() {
	qmp block_set_io_throttle "{\"device\": \"scratch\", \"bps\": $1, \"bps_rd\": 0,
		\"bps_wr\": 0, \"iops\": 0, \"iops_rd\": 0, \"iops_wr\": 0}" >/dev/null
}

# lock_disk: keep udev from reading the disk after it was written to, until the test ends or closes
# file descriptor 9. udev's requests would be counted, or have the errors.
lock_disk() {
	exec 9<"$DISK"
	flock 9
	settle
}
