#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Data in a PMR is there after a reset of the machine by QEMU, and after a reboot of the guest. For
# boot.sh all of this is one guest.
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
