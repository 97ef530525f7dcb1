#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Random commands by ioctl, beside resets and unplugs, and beside reads and writes of the disk. No
# splat, no leak, and no wrong byte.
#
# config: cmb-root-port pmr-root-port
# append: initcall_blacklist=nvme_init
# qemu: -smp 1
#
# For both lines, see hotplug.bats.

load lib.bash
load control.bash

readonly SEED=$RANDOM
# In each of the tests: a minute in all, ten in full
FUZZ_S=$(in_full 200 20)

setup_file() {
	load_driver
	note "seed $SEED"
}

# start_fuzz: send random commands to all nodes of the driver's, for FUZZ_S. The test's own
# commands have the higher priority.
start_fuzz() {
	nice tests/fuzz_ioctl "$FUZZ_S" "$SEED" '/dev/nvme_cmb_ctrl*' '/dev/nvme_[cp]m[br][0-9]*' \
		>"$BATS_TEST_TMPDIR/counts" 2>&1 3>&- &
	background["fuzz"]=$!
}

fuzzing() {
	kill -0 "${background["fuzz"]}" 2>/dev/null
}

# end_fuzz: wait for its end. Fails if anything was wrong.
end_fuzz() {
	local status=0
	wait "${background["fuzz"]}" || status=$?
	unset "background[fuzz]"
	note "$(<"$BATS_TEST_TMPDIR/counts")"
	return $status
}

@test "random commands beside requests: no wrong byte" {
	start_io "$DISK_NAME"
	start_fuzz
	while fuzzing; do sleep 1; done
	stop_io "$DISK_NAME"
	end_fuzz
	note "$(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -eq 0 ]
	[ "$(io_count "$DISK_NAME" failed_writes)" -eq 0 ]
	grep -Eq "(done|status)=[1-9]" "$BATS_TEST_TMPDIR/counts"
	answers "$CTRL"
}

@test "random commands beside resets: no wrong byte" {
	local resets=0
	start_io "$DISK_NAME"
	start_fuzz
	while fuzzing; do
		reset_function
		resets=$((resets + 1))
		sleep 0.2
	done
	stop_io "$DISK_NAME"
	end_fuzz
	note "$resets resets, $(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -eq 0 ]
	[ $resets -gt 0 ]
	answers "$CTRL"
}

has_disk() {
	[ -n "$(disk_of "$(controller)")" ]
}

# The new disk has another number if someone still has the last one open.
@test "random commands beside unplugs: nothing hangs" {
	local unplugs=0
	start_fuzz
	while fuzzing; do
		unplug
		plug_in
		wait_for "the disk" has_disk
		unplugs=$((unplugs + 1))
	done
	end_fuzz
	note "$unplugs unplugs"
	[ $unplugs -gt 0 ]
	unplug
	plug_in_disk
	ends_hold_data "$DISK"
	answers "$CTRL"
}
