#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The code and its checkers, with the kernels named: gcc's W=1 and sparse, and the
# kernel's checkpatch, over the driver; gcc and checkpatch over the guest's programs; over
# the scripts shellcheck; and rst2man and man over the pages. headers-SUITE is all kernels
# of a suite of Debian's, for gcc only. Silence is the only pass.

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
	rm -rf "$checkout/build/$release" "$programs"
	build_all W=1 C=2 2>&1 | silent
}

silent() {
	awk '{ print } /warning:|error:/ { found = 1 } END { exit found }'
}

# min() and max() as they were before 6.7, and in the first years of 6.1.y: of one
# type. Debian's 6.1 of today is more lenient, but its headers are still fit for that.
strict_minmax='
#include <linux/minmax.h>
#undef min
#undef max
#define strict_cmp(x, y, op) ({ typeof(x) __x = (x); typeof(y) __y = (y); \
	(void)(&__x == &__y); __x op __y ? __x : __y; })
#define min(x, y) strict_cmp(x, y, <)
#define max(x, y) strict_cmp(x, y, >)'

# The tests, too, which no kernel of Debian's could link: none has KUnit
compile_strictly() { # ROOT
	local root=$1 release strict
	for release in "$root"/usr/lib/modules/*; do
		release=${release##*/}
		rm -rf "$checkout/build/$release"
		mkdir -p "$checkout/build/$release"
		echo "$strict_minmax" >"$checkout/build/$release/minmax.h"
		strict=()
		[[ $release != 6.1.* ]] || strict=(KCFLAGS='-include /mnt/minmax.h')
		compile_module W=1 "${strict[@]}" modules 2>&1 | silent
		compile_module W=1 CONFIG_KUNIT=m driver/tests/{copy,prp,queue,regs}_kunit.o 2>&1 | silent
	done
}

check_code() {
	local checkpatch
	checkpatch=$(item checkpatch make_checkpatch)
	cd "$checkout"
	run() { "$checkpatch/checkpatch.pl" --strict --no-tree --terse --show-types "$@"; }
	run -f driver/!(compat|trace).[ch] driver/tests/*.c
	# the one file that asks for the version of the kernel, and takes a member for an argument
	run --ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON,MACRO_ARG_PRECEDENCE,MACRO_ARG_REUSE \
		-f driver/compat.h
	# and the one that is written in macros, laid out as all trace headers are
	run --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT -f driver/trace.h
	# programs have none of the kernel's macros, and what a signal sets is volatile
	run --ignore BIT_MACRO,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE \
		-f tests/*.c qemu-configs/guest/*.c
}

check_scripts() {
	cd "$checkout"
	git ls-files --cached --others --exclude-standard -z |
		xargs -0 grep -lE '^#!.*\b((ba|da|)sh|bats)\b|^# shellcheck shell=' -- |
		xargs shellcheck --external-sources
}

# A warning of man does not make it fail.
check_pages() {
	local page
	cd "$checkout"
	for page in driver/nvme_cmb.rst utils/nvme-cmb.rst doc/remote.rst; do
		rst2man --strict "$page" | man --warnings -Tutf8 -l - 2>&1 >/dev/null |
			awk -v page="$page" '{ print page ": " $0 } END { exit NR > 0 }'
	done
}

need_to_make shellcheck perl git rst2man man
provide checkpatch make_checkpatch
provide_roots "$@"
for name; do
	if [[ $name == headers-* ]]; then
		set_root_recipe "$name"
		phase "gcc W=1 ($name)" compile_strictly "$(item "${recipe[@]}")"
	else
		use_kernel "$name"
		phase "gcc W=1, sparse ($name)" build_strictly
	fi
done
phase checkpatch check_code
phase shellcheck check_scripts
phase 'manual pages' check_pages
