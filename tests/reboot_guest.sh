#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of reboot.t, from one boot to the next: the PMR's disk itself says
# which it is.
set -eu # pattern() writes into closed pipes

# shellcheck source=tests/lib.bash
. tests/lib.bash

# The first sector of the disk holds the name of what is to be tested, and the data is here.
readonly DATA_AT=4096

# next WAY: what the next boot is to find, and what it is to be told.
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
	# which no reset clears
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
