#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Without the stock driver, udev loads the module by its alias. If the controller has no namespace,
# the disk is there after boot.
#
# config: cmb-1m
# append: initcall_blacklist=nvme_init

load lib.bash

@test "udev has loaded the module, and the disk is there" {
	[ ! -e /sys/bus/pci/drivers/nvme ]
	bound nvme_cmb "$(controllers)"
	[ -b /dev/nvme_cmb0 ]
	ends_hold_data /dev/nvme_cmb0
}

@test "udev loads it from a file that is compressed by zstd, by xz, and not at all" {
	local dir suffix
	dir=/lib/modules/$(uname -r)/updates
	cp "$dir/nvme_cmb.ko" "$BATS_TEST_TMPDIR"
	# depmod would read all other modules, for a minute on an emulated CPU.
	mount -t tmpfs tmpfs "${dir%/*}/kernel"
	for suffix in .zst .xz ''; do
		unload_driver
		rm "$dir"/nvme_cmb.ko*
		case $suffix in
		.zst)	zstd -q "$BATS_TEST_TMPDIR/nvme_cmb.ko" -o "$dir/nvme_cmb.ko.zst" ;;
		.xz)	xz -c --check=crc32 "$BATS_TEST_TMPDIR/nvme_cmb.ko" >"$dir/nvme_cmb.ko.xz" ;;
		'')	cp "$BATS_TEST_TMPDIR/nvme_cmb.ko" "$dir" ;;
		esac
		depmod -a
		udevadm control --reload
		udevadm trigger --action=add "$SYS_PCI/devices/$(controller)"
		wait_for_disk "$DISK"
		[ "$(modinfo -n nvme_cmb)" = "$dir/nvme_cmb.ko$suffix" ]
	done
	umount "${dir%/*}/kernel"
}
