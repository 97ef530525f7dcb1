#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Resets, and recoveries from PCI errors: requests wait, and none fails.
#
# config: cmb-root-port pmr-root-port
# qemu: -smp 1
# guest: shared
#
# With one CPU, because QEMU 7.2 may crash where one CPU switches decoders while another
# one accesses a device.

load lib.bash

setup_file() {
	load_driver
}

# all_requests_served WHAT: every request was served.
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

# By ACPI hot-plug QEMU's port shows no active link, so that Linux takes the reset
# for failed. hotplug_native.bats has the recovery that succeeds. Newer kernels tell
# the driver that it has failed; with older ones its patience ends after 30 s, and a
# reset that comes meanwhile does not end it. Who waits for ever would keep verify_io from
# its end.
@test "a fatal error that is not recovered from: errors in the end, and no hang" {
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

# Not by binding it anew: the port was reset, so that the BARs are lost.
@test "removed and rescanned after that, the disk works" {
	remove
	rescan
	ends_hold_data "$DISK"
	fio_verify "$DISK" 4k
}
