#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's part of reboot.t, from one boot to the next: the PMR's disk itself says
# which it is.
set -eu # pattern() writes into closed pipes

# shellcheck source=tests/lib.bash
. tests/lib.bash

# next WAY: what the next boot is to find, and what it is to be told.
next() {
	pattern "$1" $SIZE | dd of="$DISK" bs=64k seek=4096 oflag=seek_bytes \
		iflag=fullblock conv=fsync status=none
	printf '%-512s' "$1" | dd of="$DISK" conv=fsync status=none
	sync
	on_reboot reset
}

load_driver block_size=512
SIZE=$((1 << 20))
way=$(dd if="$DISK" count=1 status=none | tr -d '\0 ')
if [ "$way" ]; then
	cmp -n $SIZE <(pattern "$way" $SIZE) <(tail -c +4097 "$DISK")
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
