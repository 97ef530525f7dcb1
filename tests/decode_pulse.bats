#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory decoding that is off for the shortest possible time during a copy. The driver blocks
# accesses to configuration space while it copies, so no copy may return wrong data. The
# requests are larger than the limit for one request, so there is nearly always a copy.
#
# config: cmb pmr

load lib.bash

setup_file() {
	load_driver
}

@test "decoding switched off and on at once by another CPU: no wrong byte" {
	local times
	[ "$KIND" = pmr ] || qemu_since 8.1 ||
		skip "QEMU before 8.1 may crash where one CPU switches a CMB's decoders while another copies"
	times=$(in_full 1000 200)
	tests/toggle_decode "$DISK" "$(controller)" "$times" pulse >"$BATS_TEST_TMPDIR/counts"
	note "$times pulses: $(cat "$BATS_TEST_TMPDIR/counts")"
	fails grep -q "copies=0 " "$BATS_TEST_TMPDIR/counts"
}

# Copies block accesses to configuration space. These must get their turn all the same.
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
