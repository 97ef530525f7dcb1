#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory decoders that are off for no longer than it takes to switch them on again, and
# requests that are larger than anything the disk takes at once.
#
# config: cmb pmr

load lib.bash

setup_file() {
	load_driver
}

@test "decode switched off and on at once, by another CPU: not one wrong byte" {
	local times
	[ "$KIND" = pmr ] || qemu_since 8.1 ||
		skip "QEMU before 8.1 may crash where one CPU switches a CMB's decoders while another copies"
	times=$(in_full 1000 200)
	tests/toggle_decode "$DISK" "$(controller)" "$times" pulse >"$BATS_TEST_TMPDIR/did"
	note "$times pulses: $(cat "$BATS_TEST_TMPDIR/did")"
	fails grep -q "copies=0 " "$BATS_TEST_TMPDIR/did"
}

# A load that never ends must not keep configuration space to itself.
@test "lspci does not wait for the end of the load" {
	local jobs=$BATS_TEST_TMPDIR/jobs
	fio --name=load --filename="$DISK" --allow_file_create=0 --rw=randrw --bs=1m \
		--direct=1 --ioengine=psync --numjobs=4 --thread --time_based \
		--runtime=300 >"$jobs" 3>&- &
	background+=([load]=$!)
	wait_for_io "$DISK_NAME"
	for _ in 1 2 3 4 5; do
		timeout 60 lspci -vvvs "$(controller)" >"$BATS_TEST_TMPDIR/out"
		grep -q "Capabilities: .* Express" "$BATS_TEST_TMPDIR/out"
	done
	kill "${background[load]}"
	unset "background[load]"
}
