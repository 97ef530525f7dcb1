#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is in a PMR stays there while the guest is reset from outside, and while it
# reboots. boot.sh sees one guest that takes long.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash

boot_guest --config pmr -- tests/reboot_guest.sh
for way in system_reset reboot; do
	number=$((number + 1))
	if grep -q "^intact after $way" <<<"$guest"; then
		echo "ok $number what was written is there after $way"
	else
		echo "not ok $number what was written is there after $way"
		printf '# %s\n' "${guest//$'\n'/$'\n'# }"
	fi
done
echo "1..$number"
