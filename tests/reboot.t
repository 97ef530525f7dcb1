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
	is "$(grep -om 1 "^intact after $way" <<<"$guest")" "intact after $way" \
		"what was written is there after $way" "$guest"
done
done_testing
