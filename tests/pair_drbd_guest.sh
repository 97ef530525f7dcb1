#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: pair_drbd_guest.sh secondary|primary|back [LAST]
#
# The part of pair_drbd.t for both guests. Guest "b" is the secondary, until "a" was killed. "a" is
# the primary first. When it is back, LAST is the last record that it acknowledged.
set -euo pipefail

# shellcheck source=tests/pair_guest.bash
. tests/pair_guest.bash

trap 'echo "failed: line $LINENO: $BASH_COMMAND" >&2' ERR
set -E

# The records are at the beginning of the disk. Other load is behind them.
readonly LOAD_OFFSET=8M

role=$1 last=${2-}
name=a address=$ADDRESS_A
[ "$role" != secondary ] || name=b address=$ADDRESS_B

start_load() {
	fio --name=load --filename=/dev/drbd0 --offset=$LOAD_OFFSET --direct=1 --rw=randwrite \
		--bs=4k --ioengine=libaio --iodepth=4 --time_based --runtime=1h >/dev/null &
	background["load"]=$!
}

hostname_is() { # NAME
	echo "$1" >/proc/sys/kernel/hostname
}

load_driver block_size=512
join "$address"
hostname_is $name
modprobe drbd
mkdir -p /run/lock # drbdadm's locks
drbd_configuration >/etc/drbd.d/$DRBD.res

case $role in
secondary)
	drbdadm create-md --force $DRBD
	drbdadm up $DRBD
	take_commands
	wait
	;;
primary)
	drbdadm create-md --force $DRBD
	drbdadm up $DRBD
	wait_for "the other guest" drbd_is cstate Connected
	# Both PMRs are new, and hold zeros.
	drbdadm -- --clear-bitmap new-current-uuid $DRBD
	wait_for "both disks" drbd_is dstate UpToDate/UpToDate
	drbdadm primary $DRBD
	exec 8>/dev/ttyS3
	stty raw <&8
	start_load
	wait_for_io drbd0
	tests/records write blocks /dev/drbd0 0 >&8
	;;
back)
	# DRBD is not up here yet.
	wait_for "the other guest" on_peer $ADDRESS_B true
	on_peer $ADDRESS_B "take_over"
	ok "the other machine takes over"
	on_peer $ADDRESS_B "tests/records check blocks /dev/drbd0 $last"
	ok "it has each record that was acknowledged"
	on_peer $ADDRESS_B "write_more $last"
	drbdadm up $DRBD
	wait_for "the resync" drbd_is dstate UpToDate/UpToDate
	grep "^ *ns:" /proc/drbd | sed 's/^/# /'
	ok "this machine is back, and the resync ends"
	# A secondary does not let anyone open its disk.
	size=$(($(<"/sys/block/drbd0/size") * 512))
	on_peer $ADDRESS_B "drbdadm secondary $DRBD && drbdadm down $DRBD"
	drbdadm down $DRBD
	sum=$(head -c "$size" "$DISK" | sha256sum)
	[ "$(on_peer $ADDRESS_B "head -c $size $DISK | sha256sum")" = "$sum" ]
	ok "both PMRs hold the same $size bytes"
	;;
esac
