#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The KUnit tests in driver/tests/: all of them pass.
#
# config: cmb
# kernels: 6.12-debug
# guest: shared

load lib.bash

KUNIT=/sys/kernel/debug/kunit

setup_file() {
	modprobe nvme_cmb_kunit
}

# suite_passes NAME: all cases of the suite have run, and none failed or was skipped. KTAP indents
# the cases of a suite by four spaces, and comments by four or more.
suite_passes() {
	local cases
	cat "$KUNIT/$1/results"
	cases=$(sed -n 's/^    1\.\.//p' "$KUNIT/$1/results")
	echo "$1 has $cases cases"
	[ "$cases" -gt 0 ]
	[ "$(grep -Ec '^    ok [0-9]+ [a-z_]+$' "$KUNIT/$1/results")" -eq "$cases" ]
	[ "$(tail -n 1 "$KUNIT/$1/results")" = "ok 1 $1" ]
	fails grep -E 'not ok|# SKIP' "$KUNIT/$1/results"
	sed -En 's/^ +(ok [0-9]+|#) nvme_cmb/# \1 nvme_cmb/p' "$KUNIT/$1/results" |
		sed 's/^# #/#/' | uniq >&3
}

@test "no values of the registers make a memory outside its BAR" {
	suite_passes nvme_cmb_regs
}

@test "every routine copies at every alignment, and changes no other byte" {
	suite_passes nvme_cmb_copy
}

@test "PRP entries stand for the bytes of a command, at every page size" {
	suite_passes nvme_cmb_prp
}

@test "queues of every size wrap, and a doorbell is rung when it has to be" {
	suite_passes nvme_cmb_queue
}

@test "this file runs all suites" {
	ls $KUNIT
	[ "$(find $KUNIT -mindepth 1 -maxdepth 1 -name 'nvme_cmb*' | wc -l)" -eq 4 ]
}
