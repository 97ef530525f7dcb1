# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the files about the controller's device share

export CTRL=/dev/nvme_cmb_ctrl0 CTRL_SYS=/sys/class/nvme_cmb/nvme_cmb_ctrl0

# start_wait ATTRIBUTE...: start tests/wait_event, and return when it misses no event any more.
start_wait() {
	local fifo=$BATS_TEST_TMPDIR/wait line
	[ -p "$fifo" ] || mkfifo "$fifo"
	tests/wait_event "$WAIT_TIMEOUT_S" "${@/#/$CTRL_SYS/}" >"$fifo" 3>&- &
	background["wait"]=$!
	exec 8<"$fifo"
	read -rt "$WAIT_TIMEOUT_S" -u 8 line
	[ "$line" = ready ]
}

# end_wait: wait for the end of wait_event, and set output to what it has reported, without the
# directory. Returns its status.
end_wait() {
	local pid=${background["wait"]} status=0
	# shellcheck disable=SC2034 # bats has this variable, and tests read it
	output=$(sed "s,^$CTRL_SYS/,," <&8)
	exec 8<&-
	unset "background[wait]"
	wait "$pid" || status=$?
	return "$status"
}

# answers NODE: the controller carries out a command that was sent to NODE.
answers() {
	nvme id-ctrl "$1" >/dev/null 2>&1
}
