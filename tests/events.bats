#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Events: what the controller reports is in the log, in a uevent, and in attributes that one can
# wait for. No event is missed, also not across resets.
#
# config: cmb-pmr

load lib.bash
load control.bash

setup_file() {
	load_driver
}

# warn BITS: let QEMU's controller have these critical warnings, and no others. Only those that
# are new are events.
warn() {
	qmp qom-set "{\"path\": \"/machine/peripheral/nvme0\",
		\"property\": \"smart_critical_warning\", \"value\": $1}" >/dev/null
}

# warning_is VALUE
warning_is() {
	[ "$(<"$CTRL_SYS/critical_warning")" = "$1" ]
}

@test "the device: state, names, one attribute for each register and field" {
	local line reg='' name value lower
	[ "$(<"$CTRL_SYS/state")" = live ]
	[ "$(<"$CTRL_SYS/pmr_health")" = normal ]
	[ "$(<"$CTRL_SYS/serial")" = cmb-pmr ]
	warning_is 0x00
	# The disks are its children.
	[ "$CTRL_SYS" -ef "/sys/block/nvme_cmb0/device" ]
	[ "$CTRL_SYS" -ef "/sys/block/nvme_pmr0/device" ]
	while IFS= read -r line; do
		read -r name value <<<"$line"
		if [[ $line == " "* ]]; then lower=${reg,,}_${name,,}; else reg=$name lower=${name,,}; fi
		[ $((value)) -eq $(($(<"$CTRL_SYS/registers/$lower"))) ] ||
			{ echo "$lower: not $value"; return 1; }
	done </sys/kernel/debug/nvme_cmb/nvme_cmb0/registers
}

@test "a critical warning: a line in the log, a uevent, an attribute that wakes up" {
	stdbuf -oL udevadm monitor --kernel --property --subsystem-match=nvme_cmb \
		>"$BATS_TEST_TMPDIR/uevents" 3>&- &
	background["monitor"]=$!
	wait_for "udevadm to listen" grep -q "KERNEL - " "$BATS_TEST_TMPDIR/uevents"
	start_wait state critical_warning pmr_health
	warn 1
	end_wait
	[ "$output" = critical_warning=0x01 ]
	warning_is 0x01
	logged "event 0x020201: available spare is below its threshold"
	wait_for "the uevent" grep -qx "NVME_AEN=0x020201" "$BATS_TEST_TMPDIR/uevents"
	warn 0
	warning_is 0x00
	kill "${background["monitor"]}"
	unset "background[monitor]"
}

@test "the PMR has become unreliable: an event as well" {
	start_wait critical_warning
	warn 32
	end_wait
	[ "$output" = critical_warning=0x20 ]
	logged "event 0x020001: reliability is degraded"
	warn 0
}

@test "a temperature threshold, set by nvme-cli" {
	start_wait critical_warning
	nvme set-feature "$CTRL" --feature-id=4 --value=0x100
	end_wait
	logged "event 0x020101: temperature is beyond a threshold"
	nvme set-feature "$CTRL" --feature-id=4 --value=0x157
}

# QEMU may drop some of them: what counts is that the last state is reported.
@test "many events: the last one is never missed" {
	local i bits
	for ((i = 0; i < $(in_full 200 20); i++)); do
		bits=$((1 << i % 4))
		start_wait critical_warning
		warn 0
		warn $bits
		end_wait
		warning_is "$(printf '0x%02x' $bits)"
	done
	warn 0
	note "$(log_since_mark | grep -c "event 0x") lines in the log for $i events"
}

@test "resets: the state is reported, and so are later events" {
	local i
	for ((i = 0; i < $(in_full 20 3); i++)); do
		start_wait state
		reset_function
		end_wait
		[[ $output == state=@(live|resetting) ]]
		[ "$(<"$CTRL_SYS/state")" = live ]
		start_wait critical_warning
		warn 1
		end_wait
		[ "$output" = critical_warning=0x01 ]
		warn 0
	done
}

@test "nothing happens: the wait ends in time" {
	local status=0
	tests/wait_event 1 "$CTRL_SYS/state" || status=$?
	[ $status -eq 1 ]
}

@test "whoever waits wakes up when the controller is removed" {
	local attribute status
	for attribute in state critical_warning pmr_health; do
		status=0
		start_wait $attribute
		unbind "$(controller)"
		end_wait || status=$?
		echo "$attribute: $status, $output"
		[ $status -eq 2 ]
		bind nvme_cmb "$(controller)"
		[ "$(<"$CTRL_SYS/state")" = live ]
	done
}

# There may be no disk at all then.
@test "pmem=1: the device is there, and reports events" {
	load_driver pmem=1
	wait_for_disk /dev/pmem0
	[ "$(<"$CTRL_SYS/pmr_health")" = normal ]
	answers "$CTRL"
	start_wait critical_warning
	warn 1
	end_wait
	[ "$output" = critical_warning=0x01 ]
	warn 0
}
