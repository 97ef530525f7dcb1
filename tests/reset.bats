#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Resets of the function and recoveries from PCI errors. Requests wait meanwhile, and none fails.
# If a recovery fails, requests fail in the end.
#
# config: cmb-root-port pmr-root-port
# qemu: -smp 1
# guest: shared
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU switches memory decoding while
# another one accesses a device.

load lib.bash

setup_file() {
	load_driver
}

# all_requests_served WHAT: end the load, and check that no request has failed.
all_requests_served() {
	stop_io "$DISK_NAME"
	note "$1: $(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -eq 0 ]
	[ "$(io_count "$DISK_NAME" failed_writes)" -eq 0 ]
}

@test "reset of the function under load: every request is served" {
	local i times dev
	times=$(in_full 20 7)
	dev=$SYS_PCI/devices/$(controller)
	grep flr "$dev/reset_method"
	start_io "$DISK_NAME"
	for ((i = 0; i < times; i++)); do
		wait_for_io "$DISK_NAME"
		echo 1 >"$dev/reset"
	done
	all_requests_served "$times resets"
}

@test "non-fatal errors on the port under load: every request is served" {
	local i times
	times=$(in_full 20 8)
	start_io "$DISK_NAME"
	for ((i = 1; i <= times; i++)); do
		wait_for_io "$DISK_NAME"
		inject COMP_TIME
		wait_for "recovery $i" logged_times "$i" "device recovery successful"
	done
	all_requests_served "$times recoveries"
}

# With ACPI hot-plug, QEMU's port shows no active link, so that for Linux the reset fails.
# hotplug_native.bats tests a recovery that succeeds. Newer kernels tell the driver about the
# failure. With older ones the driver stops waiting after 30 s, also if there is a reset in the
# meantime. If a request waited for ever, verify_io could not end.
@test "a fatal error without recovery: errors in the end, and no hang" {
	local pid
	start_io "$DISK_NAME"
	inject DLP
	wait_for "the recovery to fail" logged_times 1 "device recovery failed"
	if ! logged_times 1 "the error is permanent, the disk is dead"; then
		dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct 3>&- &
		pid=$!
		reset_function
		sleep 1
		kill -0 $pid
		wait_for "the driver to give up" logged_times 1 "not recovered within"
		fails wait $pid
	fi
	stop_io "$DISK_NAME"
	note "$(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" unread)" -eq "$DISK_BLOCKS" ]
}

# To unbind and bind would not be enough, because the reset of the port has cleared the BARs.
@test "the disk works after a remove and rescan" {
	remove
	rescan
	ends_hold_data "$DISK"
	fio_verify "$DISK" 4k
}
