#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Hibernation. hibernate_guest runs in a guest, which writes an image, reboots and restores it.
# hibernate_before_root runs in the initramfs of the second boot. For boot.sh all of this is one
# guest.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
truncate -s 2G "$work/swap"
truncate -s 1M "$work/initramfs.log"

# The image is not compressed, because the initramfs has no module for that.
qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" --config cmb-pmr --deadline 900 \
	--qemu-arg -drive --qemu-arg "if=virtio,format=raw,file=$work/swap" \
	--qemu-arg -drive --qemu-arg "if=virtio,format=raw,file=$work/initramfs.log" \
	--append 'initcall_blacklist=nvme_init hibernate=nocompress before_root=tests/hibernate_before_root' \
	-- bats --tap tests/hibernate_guest >"$work/tap" || status=$?
# If the second boot did not find the image, it prints a second plan. Only the last output counts.
awk '/^1\.\./ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' "$work/tap"
exit "${status-0}"
