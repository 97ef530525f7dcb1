#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Staged copies: the controller moves the bytes of requests by way of scratch blocks in a
# namespace. They are the bytes that were written, at every size, beside the CPU's copies.
#
# config: cmb-staged
# guest: shared

load lib.bash
load staged.bash

readonly NSID=2

setup_file() {
	load_driver staging=$NSID
	# From the smallest request on, whatever is faster.
	stage_every_size
}

# interrupts: the number of interrupts of the I/O queues so far
interrupts() {
	awk '/nvme_cmb[0-9]+q[1-9]/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' \
		/proc/interrupts
}

@test "the namespace is scratch, and the log says from which sizes on copies are staged" {
	dmesg | grep "namespace $NSID is scratch"
	[ "$(cat "$STAGED/staging")" -eq $NSID ]
}

@test "a staged request takes two commands, and no access of the CPU" {
	local before
	lock_disk
	before=$(interrupts)
	count_accesses
	dd if=/dev/zero of="$DISK" bs=64k count=8 oflag=direct status=none
	dd if="$DISK" of=/dev/null bs=64k count=8 iflag=direct status=none
	cat "$DEBUGFS/stats"
	grep -qx "write 8 524288 0" "$DEBUGFS/stats"
	grep -qx "read 8 524288 0" "$DEBUGFS/stats"
	exec 9<&-
	grep nvme_cmb /proc/interrupts
	# 16 requests, of two commands each
	[ $(($(interrupts) - before)) -ge 32 ]
}

@test "zeroing and discarding take no access of the CPU, and zero what they have to" {
	count_accesses
	zeroes_holes "$DISK" blkdiscard --zeroout
	zeroes_holes "$DISK" blkdiscard
	cat "$DEBUGFS/stats"
	grep -Eqx "zero [1-9][0-9]* [1-9][0-9]* 0" "$DEBUGFS/stats"
}

@test "what was staged into the CMB, the CPU reads, and the reverse" {
	pattern staged $((2 * MIB)) | dd of="$DISK" bs=256k oflag=direct iflag=fullblock status=none
	echo "$DISK_SIZE" >"$STAGED"/staged_read_min
	fails a_copy_is_staged
	cmp -n $((2 * MIB)) <(pattern staged $((2 * MIB))) "$DISK"
	echo "$DISK_SIZE" >"$STAGED"/staged_write_min
	pattern cpu $((2 * MIB)) | dd of="$DISK" bs=256k oflag=direct iflag=fullblock status=none
	blockdev --flushbufs "$DISK"
	stage_every_size
	cmp -n $((2 * MIB)) <(pattern cpu $((2 * MIB))) "$DISK"
}

@test "fio verifies every size, engine, depth and number of jobs" {
	fio_verify "$DISK" 512 4k 16k 64k 256k 772k 1m
}

# Reads and writes have limits of their own, so that a block that is written one way is read the
# other way, too.
@test "requests of both kinds beside each other on the same blocks: no wrong byte" {
	lock_disk
	echo 8192 >"$STAGED/staged_read_min"
	echo 65536 >"$STAGED/staged_write_min"
	staged_serves_during 20 true
}

@test "resets under load: every request is served" {
	stage_every_size
	staged_serves_during 5 reset_function
}

@test "polled requests take no interrupts" {
	local before
	load_driver staging=$NSID poll_queues=1
	stage_every_size
	lock_disk
	count_accesses
	before=$(interrupts)
	fio --name=polled --filename="$DISK" --direct=1 --rw=randwrite --bs=64k --size=4M \
		--ioengine=io_uring --hipri=1 --iodepth=4 --verify=crc32c --verify_fatal=1 \
		>"$BATS_TEST_TMPDIR/out" || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
	before=$(($(interrupts) - before))
	exec 9<&-
	no_accesses
	note "$before interrupts for 128 polled requests, which would take 256"
	# fio opens the disk, and reads a little.
	[ $before -lt 64 ]
	load_driver staging=$NSID
}

# scratch_disk: set scratch to the stock driver's disk of the namespace. Linux 6.12 and later may give
# nvme0n1 to any namespace.
scratch_disk() {
	scratch=$(grep -lx $NSID /sys/block/nvme0n*/nsid) || return
	scratch=/dev/$(basename "${scratch%/nsid}")
	[ -b "$scratch" ]
}

@test "given back, the scratch blocks are zeros; what holds other data is refused" {
	local scratch
	echo 0 >"$STAGED"/staging
	[ "$(cat "$STAGED/staging")" -eq 0 ]
	ends_hold_data "$DISK"
	bind nvme "$(controller)"
	wait_for "the stock driver's disk" scratch_disk
	# All slots, and the block with the signature
	cmp -n $((34 * MIB)) "$scratch" /dev/zero
	printf 'data' | dd of="$scratch" bs=4k seek=100 conv=notrunc,fsync status=none
	bind nvme_cmb "$(controller)"
	wait_for_disk "$DISK"
	logged "is no scratch"
	[ "$(cat "$STAGED/staging")" -eq 0 ]
	fails tee "$STAGED"/staging <<<$NSID
	echo "$NSID force" >"$STAGED"/staging
	[ "$(cat "$STAGED/staging")" -eq $NSID ]
	ends_hold_data "$DISK"
}
