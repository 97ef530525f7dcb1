#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A prompt in the guest, with all controllers bound to nvme_cmb.

"${0%/*}/take_over.sh"
echo
lsblk -o NAME,SIZE,LOG-SEC,PHY-SEC,TYPE /dev/nvme_* 2>/dev/null || echo 'nvme_cmb has no disk here.'
echo "Leave with 'exit'. Changes in the guest are lost then, except for those that IMAGES keeps."
cd /root || exit
bash -i
exit 0 # the status of the last command does not matter
