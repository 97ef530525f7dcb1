#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Staged copies under faults: errors of the scratch namespace, commands that take too long, a
# controller that has failed, CPUs that go. An error reaches the request that it belongs to, and
# no other byte is wrong. Where the controller has not done its part, the CPU does it.
#
# QEMU's blkdebug is below the namespace. It goes to its next state when zeros are written, which
# only next_state does. Each state has an error, which happens once: in 2 of a write, in 3 of a
# read, in 4 of both, in 5 of a read.
#
# config: cmb-staged
# qemu: -set drive.scratch.file=blkdebug::scratch.img -set drive.scratch.file.set-state.0.event=pwritev_zero -set drive.scratch.file.set-state.0.state=1 -set drive.scratch.file.set-state.0.new_state=2 -set drive.scratch.file.set-state.1.event=pwritev_zero -set drive.scratch.file.set-state.1.state=2 -set drive.scratch.file.set-state.1.new_state=3 -set drive.scratch.file.set-state.2.event=pwritev_zero -set drive.scratch.file.set-state.2.state=3 -set drive.scratch.file.set-state.2.new_state=4 -set drive.scratch.file.set-state.3.event=pwritev_zero -set drive.scratch.file.set-state.3.state=4 -set drive.scratch.file.set-state.3.new_state=5 -set drive.scratch.file.inject-error.0.event=write_aio -set drive.scratch.file.inject-error.0.iotype=write -set drive.scratch.file.inject-error.0.state=2 -set drive.scratch.file.inject-error.0.once=on -set drive.scratch.file.inject-error.1.event=read_aio -set drive.scratch.file.inject-error.1.iotype=read -set drive.scratch.file.inject-error.1.state=3 -set drive.scratch.file.inject-error.1.once=on -set drive.scratch.file.inject-error.2.event=write_aio -set drive.scratch.file.inject-error.2.iotype=write -set drive.scratch.file.inject-error.2.state=4 -set drive.scratch.file.inject-error.2.once=on -set drive.scratch.file.inject-error.3.event=read_aio -set drive.scratch.file.inject-error.3.iotype=read -set drive.scratch.file.inject-error.3.state=4 -set drive.scratch.file.inject-error.3.once=on -set drive.scratch.file.inject-error.4.event=read_aio -set drive.scratch.file.inject-error.4.iotype=read -set drive.scratch.file.inject-error.4.state=5 -set drive.scratch.file.inject-error.4.once=on

load lib.bash
load staged.bash

readonly NSID=2 LENGTH=65536
readonly PCI_COMMAND_MASTER=4

setup_file() {
	load_driver staging=$NSID
	stage_every_size
}

# next_state: let blkdebug go to its next state. The zeros are behind the scratch blocks.
next_state() {
	qmp human-monitor-command '{"command-line": "qemu-io scratch \"write -z 60M 4k\""}'
}

# write_pattern SEED, and holds_pattern SEED: one request of LENGTH bytes
write_pattern() {
	pattern "$1" $LENGTH | dd of="$DISK" bs=$LENGTH count=1 oflag=direct iflag=fullblock \
		conv=notrunc status=none
}

holds_pattern() {
	dd if="$DISK" bs=$LENGTH count=1 iflag=direct status=none | cmp - <(pattern "$1" $LENGTH)
}

# A test that fails must not let the others fail.
teardown() {
	# shellcheck disable=SC2154 # it is in lib.bash
	[ ${#background[@]} -eq 0 ] || kill "${background[@]}" || true
	throttle 0
	echo 30000 >"/sys/block/$DISK_NAME/queue/io_timeout"
	no_splat "$(log_since_mark)"
}

@test "an error in a write of scratch blocks is one of the request, and it alone" {
	lock_disk
	write_pattern old
	next_state
	fails write_pattern new
	logged "write of scratch block"
	holds_pattern old
	write_pattern new
	holds_pattern new
}

@test "an error in a read of scratch blocks is one of the request, and no block is torn" {
	local i
	lock_disk
	write_pattern old
	next_state
	fails write_pattern new
	logged "read of scratch block"
	dd if="$DISK" of="$BATS_TEST_TMPDIR/got" bs=$LENGTH count=1 iflag=direct status=none
	pattern old $LENGTH >"$BATS_TEST_TMPDIR/old"
	pattern new $LENGTH >"$BATS_TEST_TMPDIR/new"
	for ((i = 0; i < LENGTH / 512; i++)); do
		cmp -s -i $((i * 512)) -n 512 "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/old" ||
			cmp -i $((i * 512)) -n 512 "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/new"
	done
}

@test "errors under load: the requests fail that had one, and no byte is wrong" {
	local failed
	start_io "$DISK_NAME"
	wait_for_io "$DISK_NAME"
	next_state
	wait_for_io "$DISK_NAME"
	stop_io "$DISK_NAME"
	note "$(io_counts "$DISK_NAME")"
	failed=$(($(io_count "$DISK_NAME" failed_reads) + $(io_count "$DISK_NAME" failed_writes)))
	# Both errors, of which two requests of one large read or write may be.
	logged_times 1 "write of scratch block"
	logged_times 1 "read of scratch block"
	[ $failed -eq 1 ] || [ $failed -eq 2 ]
	[ "$(io_count "$DISK_NAME" unread)" -eq 0 ]
}

# write_until TEXT: write pattern 1, pattern 2 and so on, while the namespace is almost at a halt,
# until the kernel has logged TEXT. Prints the number of the last one.
write_until() {
	local i
	throttle 1024
	for ((i = 1; i <= 6; i++)); do
		write_pattern $i
		[[ $(log_since_mark) != *"$1"* ]] || break
	done
	throttle 0
	echo $i
}

@test "a command that takes too long is aborted, the controller reset, and the request served" {
	local last
	lock_disk
	echo 1000 >"/sys/block/$DISK_NAME/queue/io_timeout"
	last=$(write_until "a command takes too long, the controller is reset")
	logged "a command takes longer than 1000 ms, and is aborted"
	logged "a command takes too long, the controller is reset"
	holds_pattern "$last"
	wait_for "copies to be staged again" a_copy_is_staged
}

@test "if that does not end, copies are staged no more, and the disk works" {
	local last
	lock_disk
	echo 1000 >"/sys/block/$DISK_NAME/queue/io_timeout"
	last=$(write_until "no more copies are staged")
	logged "no more copies are staged"
	holds_pattern "$last"
	fails a_copy_is_staged
	exec 9<&-
	set_staging $NSID
	stage_every_size
	holds_pattern "$last"
	a_copy_is_staged
}

# master_off: switch bus mastering off. The controller fails with the next command.
master_off() {
	local failed="the controller has failed with commands under way"
	local -i times
	times=$(log_since_mark | grep -cF "$failed") || true
	setpci -s "$(controller)" COMMAND=0:$PCI_COMMAND_MASTER
	wait_for "the driver to see it" logged_times $((times + 1)) "$failed"
}

@test "bus mastering switched off under load: every request is served" {
	staged_serves_during 3 master_off
}

# cycle_cpu: take a CPU offline, and back.
cycle_cpu() {
	local cpu=/sys/devices/system/cpu/cpu1/online
	echo 0 >$cpu
	wait_for_io "$DISK_NAME"
	echo 1 >$cpu
}

@test "a CPU goes offline and online under load: every request is served" {
	staged_serves_during 5 cycle_cpu
}

@test "a namespace that cannot be read is no scratch" {
	set_staging 0
	next_state
	fails set_staging $NSID
	logged "no staged copies by way of namespace $NSID"
	[ "$(cat "$STAGED/staging")" -eq 0 ]
	set_staging $NSID
	ends_hold_data "$DISK"
}
