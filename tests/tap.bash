# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# TAP (Test Anything Protocol) for the .t files, which run on the host.

number=0

# Lines of a test's context that are shown
readonly CONTEXT_LINES=30

# is GOT WANTED NAME [CONTEXT]: report the next test. If it failed, GOT, WANTED and the end of
# CONTEXT follow as comments.
is() {
	number=$((number + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $number $3"
		return
	fi
	echo "not ok $number $3"
	{
		printf 'got: %s\nwanted: %s\n' "$1" "$2"
		[ $# -lt 4 ] || tail -n "$CONTEXT_LINES" <<<"$4"
	} | sed 's/^/# /'
}

# done_testing: print the plan, which is how many tests there were.
done_testing() {
	echo "1..$number"
}

# boot_guest ARG...: run boot.sh with ARGs on the kernel under test, and set guest to the
# output. Without a guest that succeeds there is nothing to test.
boot_guest() {
	guest=$(qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" "$@") || {
		printf 'The guest says: %s\n' "$guest" | sed 's/^/# /'
		exit 1
	}
}
