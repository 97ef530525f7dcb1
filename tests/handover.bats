#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The stock driver and nvme_cmb have the controller in turn. Each of them finds it in a state that
# works, and the other's data is unchanged.
#
# config: cmb pmr

load lib.bash

NAMESPACE=/dev/nvme0n1
# CC as firmware leaves it: the sizes of queue entries, and CC.EN
readonly CC_OF_FIRMWARE=0x00460001
# Admin queues of 32 entries each
readonly AQA_OF_FIRMWARE=0x001f001f
# CRE and CMSE, and the lower half of CBA: an address in RAM
readonly STALE_CMBMSC=0x01000003

setup_file() {
	modprobe nvme_cmb
}

namespace_holds() {
	wait_for_disk $NAMESPACE
	cmp -n "$MIB" <(pattern namespace "$MIB") $NAMESPACE
}

@test "the stock driver has the controller first" {
	bound nvme "$(controller)"
	wait_for_disk $NAMESPACE
	pattern namespace "$MIB" | dd of=$NAMESPACE bs=64k oflag=direct \
		iflag=fullblock status=none
}

@test "loading the module does not take the controller from it" {
	bound nvme "$(controller)"
	[ ! -e "$DISK" ]
	namespace_holds
}

@test "a running controller is taken over" {
	bind nvme_cmb "$(controller)"
	[ ! -e $NAMESPACE ]
	ends_hold_data "$DISK"
}

@test "the stock driver takes it back, and its namespace is unchanged" {
	bind nvme "$(controller)"
	namespace_holds
	fio --name=ns --filename=$NAMESPACE --rw=randwrite --bs=4k --size=2m \
		--offset=8m --direct=1 --verify=crc32c --verify_fatal=1
	nvme smart-log /dev/nvme0
}

@test "ten times back and forth" {
	local i
	for ((i = 0; i < 10; i++)); do
		bind nvme_cmb "$(controller)"
		ends_hold_data "$DISK"
		bind nvme "$(controller)"
		namespace_holds
	done
}

@test "a controller that was left enabled is disabled first" {
	unbind "$(controller)"
	# CC.EN is 0 here, because no driver has set up queues. Set it as firmware does.
	register "$REG_AQA" 32 $AQA_OF_FIRMWARE
	register "$REG_ASQ" 64 0x1000
	register "$REG_ACQ" 64 0x2000
	register "$REG_CC" 32 $CC_OF_FIRMWARE
	[ $(($(register "$REG_CC") & ENABLED)) -eq 1 ]
	[ $(($(register "$REG_CSTS") & ENABLED)) -eq 1 ]
	bind nvme_cmb "$(controller)"
	ends_hold_data "$DISK"
	unbind "$(controller)"
	[ $(($(register "$REG_CC") & ENABLED)) -eq 0 ]
	[ $(($(register "$REG_CSTS") & ENABLED)) -eq 0 ]
}

@test "a stale CMBMSC is replaced, and CMBMSC is clear after an unbind" {
	[ "$KIND" = cmb ] || skip "a controller without a CMB has none"
	unbind "$(controller)"
	# CMBMSC has an address that is not the controller's.
	register $((REG_CMBMSC + 4)) 32 0
	register "$REG_CMBMSC" 32 $STALE_CMBMSC
	[ $(($(register "$REG_CMBMSC"))) -eq $((STALE_CMBMSC)) ]
	bind nvme_cmb "$(controller)"
	ends_hold_data "$DISK"
	unbind "$(controller)"
	[ $(($(register "$REG_CMBMSC"))) -eq 0 ]
	bind nvme "$(controller)"
	namespace_holds
}
