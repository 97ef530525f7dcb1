#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How many accesses a request takes, counted by QEMU from outside: one for each
# eight bytes, and one that sees the controller alive.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# accesses DIRECTION SIZE REGION OFFSET LENGTH: as QEMU logged them.
accesses() {
	perl -lne '
		BEGIN { ($event, $size, $name, $from, $len) = splice @ARGV, 0, 5 }
		$n++ if /^$event .* addr (\w+) .* size $size name .$name.$/ &&
			hex $1 >= $from && hex $1 < $from + $len;
		END { print $n + 0 }
	' "memory_region_ops_$1" "$2" "$3" $(($(bar "$3") + $4)) "$5" "$log"
}

# bar REGION: where it begins, as the guest has said.
bar() {
	sed -n "s/^# $1 at //p" <<<"$guest"
}

number=0

is() { # GOT WANTED NAME
	number=$((number + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $number $3"
	else
		echo "not ok $number $3"
		echo "# $1 accesses, wanted $2"
	fi
}

guest=$(qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" --config cmb \
	--qemu-arg -D --qemu-arg "$log" -- tests/accesses_guest.sh) || {
	printf 'Bail out! The guest says: %s\n' "$guest"
	exit 1
}

# Offsets as in accesses_guest.sh
is "$(accesses read 8 nvme-cmb $((5 << 20)) 4096)" 512 \
	"4096 bytes are read in 512 accesses of 8 bytes"
is "$(accesses read 8 nvme-cmb $((6 << 20)) 65536)" 8192 \
	"64 KiB are read in 8192 accesses of 8 bytes"
is "$(accesses read 8 nvme-cmb 0 $((16 << 20)))" $((512 + 8192)) \
	"nothing else of the CMB is read"
is "$(accesses read 4 nvme 8 4)" 2 "VS is read once for each request"
is "$(accesses read 4 nvme 0 4096)" 2 "and no other register"
is "$(accesses write 8 nvme-cmb $((7 << 20)) 4096)" 512 \
	"4096 bytes are written in 512 accesses of 8 bytes"
is "$(accesses write 8 nvme-cmb $((8 << 20)) 512)" 64 \
	"512 bytes are zeroed in 64 accesses of 8 bytes"
is "$(accesses write 8 nvme-cmb 0 $((16 << 20)))" $((512 + 64)) \
	"nothing else of the CMB is written"
echo "1..$number"
