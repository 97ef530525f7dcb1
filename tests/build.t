#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "make" as users and packages call it, with the headers of KERNEL. It builds and installs the
# modules for the right kernel, and nothing else. If it cannot, it says so in one line.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=qemu-configs/debian.sh
. qemu-configs/debian.sh
# shellcheck source=tests/tap.bash
. tests/tap.bash

use_kernel "${KERNEL:-6.12}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sources DIRECTORY: copy the sources without any object, as a package has them.
sources() {
	mkdir -p "$work/$1"
	cp -r Makefile Kbuild driver qemu-configs "$work/$1"
}

# The root's own modules do not change. What is installed is in WORK/installed.
chroot_work() { # ROOT RELEASE WORK READ-ONLY SCRIPT
	local root=$1 release=$2 work=$3 read_only=$4 dir build
	build=$(readlink "$root/usr/lib/modules/$release/build")
	for dir in dev proc; do
		mount --rbind "/$dir" "$root/$dir"
	done
	mount --bind "$work" "$root/mnt"
	if [ "$read_only" ]; then
		mount --bind "$work/$read_only" "$root/mnt/$read_only"
		mount -o remount,bind,ro "$root/mnt/$read_only"
	fi
	mkdir -p "$work/installed/$release"
	mount --bind "$work/installed" "$root/usr/lib/modules"
	ln -sfT "$build" "$root/usr/lib/modules/$release/build"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" bash -c "cd /mnt; release=$release; $5" 2>&1
}

# run SCRIPT: run SCRIPT in the root, and set out to its output, and status. WORK/READ_ONLY
# cannot be written.
read_only=''
run() {
	status=0
	out=$(as_root chroot_work "$root" "$release" "$work" "$read_only" "$1") || status=$?
}

works() { # NAME SCRIPT
	run "$2"
	is "$status" 0 "$1" "$out"
}

# refuses NAME WORDS SCRIPT: SCRIPT fails, and prints one line, which has WORDS. Lines that make
# itself prints about a failure do not count.
refuses() {
	local lines
	run "$3"
	lines=$(sed -E '/^make(\[[0-9]+\])?: /d' <<<"$out")
	is "$((status != 0)) $(wc -l <<<"$lines") $(grep -oF "$2" <<<"$lines")" "1 1 $2" "$1" "$out"
}

modules_in() { # DIRECTORY
	find "$work/$1" -name '[!.]*.ko*' -printf '%f\n' | sed 's/\.ko.*//' | sort | xargs
}

both='nvme_cmb nvme_cmb_pmem'
# The kernel's configuration may want xz, which not every root has.
uncompressed='make install CONFIG_MODULE_COMPRESS_ALL= CONFIG_MODULE_COMPRESS_XZ='
version=$(sed -n 's/^version := //p' Kbuild)
sources user
sources 'a space'

works "as DKMS does, with a build environment's own CONFIG and KERNEL" \
	"cd user && CONFIG=Release KERNEL=kernel8 make -j2 KERNELRELEASE=\$release"
is "$(modules_in user)" "$both" "nothing but the modules is built" "$out"
for module in $both; do
	is "$(modinfo -F vermagic "$work/user/$module.ko" | cut -d' ' -f1)" "$release" "$module is for that kernel" "$out"
	is "$(modinfo -F version "$work/user/$module.ko")" "${version:?}" "it has Kbuild's version" "$out"
done

works "INSTALL_MOD_PATH" "cd user && $uncompressed KVER=\$release INSTALL_MOD_PATH=/mnt/package"
is "$(modules_in "package/lib/modules/$release")" "$both" "nothing but the modules is installed there" "$out"
is "$(modules_in installed)" '' "nor anything elsewhere" "$out"

read_only=user
works "modules are installed from a directory that cannot be written" \
	"cd user && $uncompressed KVER=\$release"
is "$(modules_in installed)" "$both" "and nothing but the modules" "$out"
is "$(grep -c '/nvme_cmb\.ko[^ ]*:' "$work/installed/$release/modules.dep")" 1 "modprobe finds it" "$out"
refuses "a module for another kernel is not installed" 'nothing is built for Linux' \
	"mkdir -p other/include/generated && touch other/Makefile &&
	echo '#define UTS_RELEASE \"6.0\"' >other/include/generated/utsrelease.h &&
	cd user && make install KDIR=/mnt/other"
read_only=''

works "O is where the kernel was built" "cd user && make O=../../lib/modules/\$release/build"
refuses "no kernel was built there" 'no kernel headers in /mnt/nowhere' "cd user && make O=../nowhere"
refuses "a space in the path" 'move '\''/mnt/a space'\' "cd 'a space' && make KVER=\$release"
refuses "a word that is no kernel, for the lab" "no kernel 'kernel8'" "cd user && KERNEL=kernel8 make check"
refuses "a word that is no topology, for the lab" "no topology 'Release'" "cd user && CONFIG=Release make run"

sources package-source
read_only=package-source
refuses "sources in a directory that cannot be written" \
	'is not to be written' "cd package-source && make KVER=\$release"
refuses "nothing to install" 'nothing is built for Linux' "cd package-source && make install KVER=\$release"
if printf '%s\n' 6.13 "$release" | sort -VC; then
	works "objects elsewhere" "cd package-source && make -j2 KVER=\$release MO=../objects"
	is "$(modules_in objects)" "$both" "the modules are there" "$out"
else
	refuses "objects elsewhere, on an old kernel" 'does not know MO' "cd package-source && make KVER=\$release MO=../objects"
fi
done_testing
