/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the registers of CMB and PMR mean: values in, plain geometry out.
 *
 * Nothing here touches the device, so that every value a register can hold
 * may be tried without one.
 */
#ifndef NVME_CMB_REGS_H
#define NVME_CMB_REGS_H

#include <linux/bits.h>
#include <linux/types.h>

/* NVM Express base specification 1.4, 3.1; what linux/nvme.h has no names for */
#define NVME_CMB_CAP_PMRS		BIT_ULL(56)
#define NVME_CMB_REG_CMBSTS		0x58
#define NVME_CMB_PMRCAP_BIR		GENMASK(7, 5)
#define NVME_CMB_PMRCAP_PMRTU		GENMASK(9, 8)
#define NVME_CMB_PMRCAP_PMRWBM_READ	BIT(10)
#define NVME_CMB_PMRCAP_PMRWBM_PMRSTS	BIT(11)
#define NVME_CMB_PMRCAP_PMRTO		GENMASK(23, 16)
#define NVME_CMB_PMRCTL_EN		BIT(0)
#define NVME_CMB_PMRSTS_ERR		GENMASK(7, 0)
#define NVME_CMB_PMRSTS_NRDY		BIT(8)
#define NVME_CMB_PMRSTS_HSTS		GENMASK(11, 9)

/**
 * struct nvme_cmb_geometry - where a controller's memory lies
 * @bir: number of the PCI BAR that holds it (CMBLOC.BIR, PMRCAP.BIR)
 * @offset: its first byte in that BAR
 * @size: its length
 */
struct nvme_cmb_geometry {
	unsigned int bir;
	u64 offset;
	u64 size;
};

/**
 * struct nvme_cmb_field - a field of a register
 * @name: its name in the specification; NULL behind the last one
 * @low: its lowest bit
 * @high: its highest bit
 */
struct nvme_cmb_field {
	const char *name;
	unsigned int low, high;
};

/**
 * struct nvme_cmb_reg - a register of the controller
 * @name: its name in the specification
 * @offset: where it is in BAR 0
 * @bits: its width, 32 or 64
 * @fields: what it consists of
 */
struct nvme_cmb_reg {
	const char *name;
	unsigned int offset;
	unsigned int bits;
	struct nvme_cmb_field fields[16];
};

extern const struct nvme_cmb_reg nvme_cmb_registers[];
extern const unsigned int nvme_cmb_nr_registers;

const char *nvme_cmb_decode(u32 cmbloc, u32 cmbsz,
			    struct nvme_cmb_geometry *geo);
const char *nvme_cmb_decode_pmr(u32 pmrcap, struct nvme_cmb_geometry *geo);
const char *nvme_cmb_pmr_health(unsigned int hsts);
const char *nvme_cmb_decode_pmrsts(u32 pmrsts, bool *read_only);
unsigned int nvme_cmb_pmr_timeout_ms(u32 pmrcap);
bool nvme_cmb_pmr_flushes(u32 pmrcap);
const char *nvme_cmb_clamp(struct nvme_cmb_geometry *geo, u64 bar_len);

#endif
