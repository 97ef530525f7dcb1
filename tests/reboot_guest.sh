#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of reboot.t, from one boot to the next. The first sector of the PMR's disk names
# the way in which the guest was reset last.
set -eu # no pipefail, because pattern() writes to closed pipes

# shellcheck source=tests/lib.bash
. tests/lib.bash

# Where the data on the disk begins
readonly DATA_AT=4096

# next WAY: write data and WAY to the disk, for the next boot.
next() {
	pattern "$1" $MIB | dd of="$DISK" bs=64k seek=$DATA_AT oflag=seek_bytes \
		iflag=fullblock conv=fsync status=none
	printf '%-512s' "$1" | dd of="$DISK" conv=fsync status=none
	sync
	on_reboot reset
}

load_driver block_size=512
way=$(dd if="$DISK" count=1 status=none | tr -d '\0 ')
if [ "$way" ]; then
	cmp -n $MIB <(pattern "$way" $MIB) <(tail -c +$((DATA_AT + 1)) "$DISK")
	echo "intact after $way"
fi
case $way in
'')
	# No reset clears the root disk. If the file is there, this is not the first boot.
	if [ -e /booted ]; then
		echo "the PMR has nothing of what was written before the reset"
		exit 1
	fi
	touch /booted
	next system_reset
	qmp system_reset >/dev/null
	sleep 60
	;;
system_reset)
	next reboot
	busybox reboot -f
	;;
reboot)
	on_reboot shutdown
	;;
esac
