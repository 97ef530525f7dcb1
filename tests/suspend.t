#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Sleep: suspend_guest in a guest, and who wakes it. A guest asleep cannot do
# that itself: QEMU's RTC does not reach one in s2idle, and none may oversleep for an
# alarm that rang while it was still going to bed.
#
# With one CPU: when the guest wakes SeaBIOS starts the others, in memory that is not
# writable by then. They spin for a lock there, which in TCG stops the first CPU each
# time, so that Linux hardly gets to the point where it would start them itself.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
wakers=()
: >"$work/suspends"

clean_up() {
	kill "${wakers[@]}" || true
	rm -r "$work"
}

qmp() { # COMMAND
	echo "{\"execute\": \"$1\"}" >&5
}

# S3, of which QEMU tells
wake_from_s3() {
	local event
	qmp qmp_capabilities
	while read -r event <&6; do
		case $event in
		*'"SUSPEND"'*)
			echo "$event" >>"$work/suspends"
			qmp system_wakeup
			;;
		esac
	done
}

# s2idle, of which QEMU knows nothing: the button means nothing else in this guest
press_power_button() {
	while sleep 2; do
		qmp system_powerdown
	done
}

mkfifo "$work"/monitor.{in,out}
exec 5<>"$work/monitor.in" 6<>"$work/monitor.out"
wake_from_s3 &
wakers+=($!)
press_power_button &
wakers+=($!)
trap clean_up EXIT

qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" --config cmb-pmr --append iomem=relaxed \
	--qemu-arg -smp --qemu-arg 1 \
	--qemu-arg -chardev --qemu-arg "pipe,id=waker,path=$work/monitor" \
	--qemu-arg -mon --qemu-arg chardev=waker,mode=control \
	-- bats --tap tests/suspend_guest >"$work/tap" || status=$?
cat "$work/tap"

# Linux takes a sleep that the platform has refused for a short one
claimed=$(awk '/^# deep: / { times += $3 } END { print times + 0 }' "$work/tap")
suspends=$(wc -l <"$work/suspends")
if [ "$suspends" != "$claimed" ]; then
	echo "# the guest says it was in S3 $claimed times, QEMU $suspends"
	exit 1
fi
exit "${status-0}"
