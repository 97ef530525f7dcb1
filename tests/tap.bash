# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# TAP for the .t files, which run outside of a guest.

number=0

# is GOT WANTED NAME [CONTEXT]: CONTEXT, or its end, is said when the two differ.
is() {
	number=$((number + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $number $3"
	else
		echo "not ok $number $3"
		printf '%s\n' "got: $1" "wanted: $2" "${@:4}" | tail -n 30 | sed 's/^/# /'
	fi
}

# boot_guest ARG...: boot.sh, on the kernel under test; what it says is in guest then. Without
# a guest that succeeds there is nothing to test, and this file fails.
boot_guest() {
	guest=$(qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" "$@") || {
		printf 'The guest says: %s\n' "$guest" | sed 's/^/# /'
		exit 1
	}
}
