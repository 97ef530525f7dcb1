#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Staged copies behind an IOMMU: the addresses that the controller gets for host memory are not
# those of the memory. Those of its CMB are. The debug kernels have no driver for this IOMMU.
#
# config: cmb-staged
# kernels: 6.1 6.12 sid
# append: intel_iommu=on
# qemu: -device intel-iommu,intremap=on -machine kernel-irqchip=split

load lib.bash
load staged.bash

setup_file() {
	load_driver staging=2
	stage_every_size
	[ -e "$SYS_PCI/devices/$(controller)/iommu_group" ]
}

@test "what was staged is what was written, at every size and alignment" {
	staged_holds_data
}

@test "resets under load: every request is served" {
	staged_serves_during 3 reset_function
}
