#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Staged copies by way of bounce buffers (swiotlb): the controller gets the addresses of other
# pages, whose data Linux copies. The data is at the same place in these pages, because PRP entries
# need it there. There is no MSI either, so that all queues share one interrupt.
#
# config: cmb-staged
# append: swiotlb=force pci=nomsi

load lib.bash
load staged.bash

setup_file() {
	load_driver staging=2
	stage_every_size
	[ "$(cat /sys/kernel/debug/swiotlb/io_tlb_nslabs)" -gt 0 ]
}

@test "all queues share one interrupt, which is not MSI" {
	[ "$(grep -c nvme_cmb0q /proc/interrupts)" -eq 1 ]
	grep "nvme_cmb0q0.*nvme_cmb0q1" /proc/interrupts
	fails grep -E 'MSI.*nvme_cmb' /proc/interrupts
}

@test "what was staged is what was written, at every size and alignment" {
	staged_holds_data
}

@test "resets under load: every request is served" {
	staged_serves_during 3 reset_function
}

# The driver looks after a command that takes longer than a second. If it wrote a completion queue's
# doorbell twice, QEMU would never lower the interrupt again, and Linux would switch it off.
@test "the interrupt works after a command that took seconds" {
	throttle 16384
	dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct conv=notrunc status=none
	throttle 0
	staged_holds_data
	fails grep -F "nobody cared" <<<"$(log_since_mark)"
}
