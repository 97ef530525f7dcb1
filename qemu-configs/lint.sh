#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The code and its checkers, with the kernels named: gcc's W=1 and sparse, and the
# kernel's checkpatch, over the driver; shellcheck over the scripts. Silence is the
# only pass.

# shellcheck source=qemu-configs/debian.sh
. "${BASH_SOURCE%/*}/debian.sh"
shopt -s extglob nullglob

# Debian has checkpatch only inside of its kernel source package
make_checkpatch() { # DIRECTORY
	mkdir "$1"
	mmdebstrap_tar bookworm extract linux-source-6.12 |
		tar -xO ./usr/src/linux-source-6.12.tar.xz |
		tar -xJ -C "$1" --strip-components=2 linux-source-6.12/scripts/{checkpatch.pl,spelling.txt,const_structs.checkpatch}
}

# From nothing, so that every file meets the checkers
build_strictly() { # KERNEL
	rm -rf "$checkout/build/$release"
	build_module W=1 C=2 2>&1 |
		awk '{ print } /warning:|error:/ { found = 1 } END { exit found }'
}

check_driver() {
	local checkpatch
	checkpatch=$(item checkpatch make_checkpatch)
	cd "$checkout"
	run() { "$checkpatch/checkpatch.pl" --strict --no-tree --terse --show-types "$@"; }
	run -f driver/!(compat|trace).[ch] driver/tests/*.c
	# the one file that is there to ask for the kernel's version
	run --ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON -f driver/compat.h
	# and the one that is written in macros, laid out as all trace headers are
	run --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT -f driver/trace.h
}

check_scripts() {
	cd "$checkout"
	git ls-files --cached --others --exclude-standard -z |
		xargs -0 grep -lE '^#!.*\b((ba|da|)sh|bats)\b|^# shellcheck shell=' -- |
		xargs shellcheck --external-sources
}

need_to_make shellcheck perl git
provide checkpatch make_checkpatch
provide_roots "$@"
for name; do
	use_kernel "$name"
	phase "gcc W=1, sparse ($name)" build_strictly
done
phase checkpatch check_driver
phase shellcheck check_scripts
