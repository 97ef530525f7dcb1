#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A prompt in the guest with the disks there.

"${0%/*}/take_over.sh"
echo
lsblk -o NAME,SIZE,LOG-SEC,PHY-SEC,TYPE /dev/nvme_* 2>/dev/null || echo 'nvme_cmb has no disk here.'
echo "Leave with 'exit'; what you change in the guest is lost then, but for what IMAGES keeps."
cd /root || exit
bash -i
exit 0 # how the last command ended is the user's affair
