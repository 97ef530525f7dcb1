#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run the lab's command in a system of systemd, as pid1.sh does in the lab's own guest. It is run
# at each boot, until it ends.

export HOME=/root LANG=C.UTF-8

echo "lab: the log is read from here" >/dev/kmsg
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
	[[ ! -e $cpu ]] || echo 1 >"$cpu"
done
mkdir -p /run/lab
mount LABEL=lab /run/lab
cd /run/lab || exit
set -a
# shellcheck source=/dev/null # written by boot.sh
. ./environment
set +a

exec <>/dev/ttyS1
stty raw -echo
echo ready >&0
# shellcheck disable=SC2016 # that shell expands the variable
setsid --ctty --wait bash -c './command; status=$?; stty raw -echo; exit $status' >&0 2>&1
echo $? >/dev/ttyS2
systemctl poweroff --force --force
