#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Sleep. suspend_guest runs in a guest, and this script wakes it. The guest cannot do that itself:
# QEMU's RTC does not wake a guest from s2idle, and an alarm that goes off before the guest is
# asleep is lost.
#
# The guest has one CPU. When a guest wakes up, SeaBIOS starts the other CPUs in memory that is not
# writable then. They spin on a lock, which in TCG stops the first CPU each time, so that Linux
# needs very long to start them itself.
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

# wake_from_s3: wake the guest when QEMU reports that it is in S3.
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

# press_power_button: wake the guest from s2idle, which QEMU does not report. The button does
# nothing else in this guest.
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

# If the platform has refused to sleep, Linux reports a short sleep. So compare with QEMU's events.
claimed=$(awk '/^# deep: / { times += $3 } END { print times + 0 }' "$work/tap")
suspends=$(wc -l <"$work/suspends")
if [ "$suspends" != "$claimed" ]; then
	echo "# the guest says it was in S3 $claimed times, QEMU $suspends"
	exit 1
fi
exit "${status-0}"
