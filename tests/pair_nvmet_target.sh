#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of pair_nvmet.t for guest "a": export the PMR's disk, and do what guest "b" says.
set -euo pipefail

# shellcheck source=tests/pair_guest.bash
. tests/pair_guest.bash

join $ADDRESS_A $SECOND_ADDRESS_A
load_driver block_size=512
echo "# nvme at $(bar 0 "$(controller)")"
export_pmr
take_commands
wait
