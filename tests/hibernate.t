#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Hibernation: hibernate_guest in a guest, which reboots into its own image, and
# hibernate_before_root in the initramfs of that boot. boot.sh sees one guest that takes
# long.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
truncate -s 2G "$work/swap"
truncate -s 1M "$work/said"

# nocompress: the initramfs has no module to uncompress with
qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" --config cmb-pmr --deadline 900 \
	--qemu-arg -drive --qemu-arg "if=virtio,format=raw,file=$work/swap" \
	--qemu-arg -drive --qemu-arg "if=virtio,format=raw,file=$work/said" \
	--append 'initcall_blacklist=nvme_init hibernate=nocompress before_root=tests/hibernate_before_root' \
	-- bats --tap tests/hibernate_guest >"$work/tap" || status=$?
# a boot that has not found its image says so from the beginning
awk '/^1\.\./ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' "$work/tap"
exit "${status-0}"
