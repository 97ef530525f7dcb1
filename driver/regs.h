/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the CMB's registers mean: values in, plain geometry out.
 *
 * Nothing here touches the device, so that every value a register can hold
 * may be tried without one.
 */
#ifndef NVME_CMB_REGS_H
#define NVME_CMB_REGS_H

#include <linux/types.h>

/**
 * struct nvme_cmb_geometry - where a controller's memory lies
 * @bir: number of the PCI BAR that holds it (CMBLOC.BIR)
 * @offset: its first byte in that BAR
 * @size: its length
 */
struct nvme_cmb_geometry {
	unsigned int bir;
	u64 offset;
	u64 size;
};

const char *nvme_cmb_decode(u32 cmbloc, u32 cmbsz,
			    struct nvme_cmb_geometry *geo);
const char *nvme_cmb_clamp(struct nvme_cmb_geometry *geo, u64 bar_len);

#endif
