#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# /dev/pmem0 while its controller is reset, has an error or does not answer. Stores that got lost
# go unnoticed. So the first flush after that fails, and does not acknowledge them. suspend.t
# tests sleep.
#
# config: pmr-root-port
# qemu: -smp 1
# guest: shared
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while
# another one accesses a device.

load lib.bash

setup_file() {
	load_driver pmem=1
	# libnvdimm makes the disk in a worker.
	wait_for_disk /dev/pmem0
	# wait_for_io reads these statistics.
	echo 1 >/sys/block/pmem0/queue/iostats
}

write_and_flush() {
	dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 oflag=direct conv=fsync status=none
}

flush_fails() {
	LC_ALL=C fails write_and_flush | grep "Input/output error"
}

# Data that was stored after the last flush that failed may have got lost, too. So one more flush
# fails after the controller answers again.
@test "flushes fail while the controller does not answer, and the first one after" {
	decode off
	flush_fails
	flush_fails
	decode on
	flush_fails
	write_and_flush
}

@test "after a reset of the function one flush fails, and says why" {
	local i
	for i in 1 2; do
		reset_function
		flush_fails
		write_and_flush
	done
	logged "stores may have got lost"
}

@test "after a non-fatal error on the port one flush fails" {
	inject COMP_TIME
	wait_for "the recovery" logged_times 1 "device recovery successful"
	flush_fails
	write_and_flush
}

# under_load TIMES COMMAND...: run COMMAND while data is stored and flushed. All data that a flush
# has acknowledged has to be there afterwards.
under_load() {
	local i times=$1 syncs=0 failed=0 verified=0
	shift
	for ((i = 0; i < times; i++)); do
		start_io pmem0 --fsync
		wait_for_io pmem0
		"$@"
		wait_for_io pmem0
		stop_io pmem0
		[ "$(io_count pmem0 failed_syncs)" -gt 0 ]
		[ "$(io_count pmem0 unread)" -eq 0 ]
		syncs=$((syncs + $(io_count pmem0 syncs)))
		failed=$((failed + $(io_count pmem0 failed_syncs)))
		verified=$((verified + $(io_count pmem0 verified)))
	done
	note "$times times, $failed of $syncs flushes failed, $verified bytes verified"
}

decode_off_on() {
	decode off
	sleep 0.3
	decode on
}

@test "what was flushed is there after a reset of the function under load" {
	under_load "$(in_full 20 5)" reset_function
}

@test "what was flushed is there after decode was off during a flush" {
	under_load "$(in_full 20 5)" decode_off_on
}
