#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages in a system of Debian, with systemd and the generic kernel. SUITE is bookworm or
# sid. They are installed, and then a second kernel, while the disk is made. install_guest.sh has
# the rest, over five boots. For boot.sh all of them are one guest. FULL=1 upgrades them there, too.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=qemu-configs/lib.sh
. qemu-configs/lib.sh
# shellcheck source=tests/tap.bash
. tests/tap.bash

# The upgrade takes most of it.
readonly DEADLINE_S=5400

suite=${SUITE:-bookworm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sources: copy what the packages are made of.
sources() {
	mkdir -p "$work/sources"
	cp -R Makefile Kbuild debian utils driver qemu-configs "$work/sources"
}

# packages DIRECTORY: make the packages in DIRECTORY.
packages() {
	make -C "$work/sources" deb >"$work/log" 2>&1 || { sed 's/^/# /' "$work/log"; exit 1; }
	mkdir -p "$1"
	cp "$work"/sources/build/deb/*.deb "$1"
}

next_version() {
	version=$(sed -n 's/^version := //p' Kbuild)+next
	sed -i "s/^version := .*/version := $version/" "$work/sources/Kbuild"
	sed "1s/(.*)/($version)/" debian/changelog >"$work/sources/debian/changelog"
}

sources
packages "$work/packages"
need lintian
is "$(lintian --allow-root "$work"/sources/build/deb/*.changes 2>&1)" "" "lintian has nothing to say"
next_version
packages "$work/packages/later"
qemu-configs/debian.sh system "$suite" "$work/packages" >"$work/log" 2>&1 ||
	{ sed 's/^/# /' "$work/log"; exit 1; }
boot_guest --system "build/$suite" --config install --deadline $DEADLINE_S -- \
	tests/install_guest.sh "$version"
grep -E '^(ok|#) ' <<<"$guest"
number=$((number + $(grep -c '^ok ' <<<"$guest")))
done_testing
