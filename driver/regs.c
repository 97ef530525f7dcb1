// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/nvme.h>
#include <linux/sizes.h>

#include "regs.h"

/* CMBSZ.SZU: 4 KiB, 64 KiB, 1 MiB, ... 64 GiB; the values above are reserved */
#define NVME_CMBSZ_SZU_MAX	6

/**
 * nvme_cmb_decode - read CMBLOC and CMBSZ
 * @cmbloc: value of the CMBLOC register
 * @cmbsz: value of the CMBSZ register
 * @geo: filled in on success
 *
 * NVM Express base specification 1.4, 3.1.12 and 3.1.13. OFST and SZ both
 * count in units of CMBSZ.SZU. The largest sum of the two is below 2^57, so
 * none of the arithmetic on @geo can overflow.
 *
 * Return: NULL, or what is wrong in the specification's names.
 */
const char *nvme_cmb_decode(u32 cmbloc, u32 cmbsz,
			    struct nvme_cmb_geometry *geo)
{
	unsigned int szu = (cmbsz >> NVME_CMBSZ_SZU_SHIFT) &
			   NVME_CMBSZ_SZU_MASK;
	u64 sz = (cmbsz >> NVME_CMBSZ_SZ_SHIFT) & NVME_CMBSZ_SZ_MASK;
	u64 unit;

	if (!sz)
		return "CMBSZ.SZ is 0";
	if (szu > NVME_CMBSZ_SZU_MAX)
		return "CMBSZ.SZU is reserved";
	unit = (u64)SZ_4K << (4 * szu);

	geo->bir = NVME_CMB_BIR(cmbloc);
	geo->offset = unit * NVME_CMB_OFST(cmbloc);
	geo->size = unit * sz;

	/* BAR 1 is the upper half of BAR 0, and a function has six BARs. */
	if (geo->bir == 1 || geo->bir > 5)
		return "CMBLOC.BIR is reserved";
	if (geo->bir == 0 && geo->offset <= NVME_REG_DBS)
		return "CMBLOC.OFST lies on the registers in BAR 0";
	return NULL;
}

/**
 * nvme_cmb_decode_pmr - read PMRCAP
 * @pmrcap: value of the PMRCAP register
 * @geo: filled in on success: the PMR is all of its BAR (1.4, 3.1.22), so that its
 *	size is left to nvme_cmb_clamp()
 *
 * Return: NULL, or what is wrong in the specification's names.
 */
const char *nvme_cmb_decode_pmr(u32 pmrcap, struct nvme_cmb_geometry *geo)
{
	geo->bir = FIELD_GET(NVME_CMB_PMRCAP_BIR, pmrcap);
	geo->offset = 0;
	geo->size = U64_MAX;
	if (geo->bir < 2 || geo->bir > 5)
		return "PMRCAP.BIR is reserved";
	if (FIELD_GET(NVME_CMB_PMRCAP_PMRTU, pmrcap) > 1)
		return "PMRCAP.PMRTU is reserved";
	return NULL;
}

/**
 * nvme_cmb_pmr_timeout_ms - how long a PMR may take to become ready
 * @pmrcap: value of the PMRCAP register
 *
 * PMRCAP.PMRTO in units of PMRCAP.PMRTU, 500 ms or a minute. A controller that says 0
 * is given one unit.
 *
 * Return: that, in milliseconds.
 */
unsigned int nvme_cmb_pmr_timeout_ms(u32 pmrcap)
{
	unsigned int unit_ms = FIELD_GET(NVME_CMB_PMRCAP_PMRTU, pmrcap) ?
			       60000 : 500;
	unsigned int units = FIELD_GET(NVME_CMB_PMRCAP_PMRTO, pmrcap);

	return unit_ms * max(units, 1U);
}

/**
 * nvme_cmb_pmr_flushes - is there a way to make writes persist?
 * @pmrcap: value of the PMRCAP register
 *
 * Return: true if PMRCAP.PMRWBM names one.
 */
bool nvme_cmb_pmr_flushes(u32 pmrcap)
{
	return pmrcap & (NVME_CMB_PMRCAP_PMRWBM_READ |
			 NVME_CMB_PMRCAP_PMRWBM_PMRSTS);
}

/**
 * nvme_cmb_decode_pmrsts - read PMRSTS
 * @pmrsts: value of the PMRSTS register
 * @read_only: set if something is wrong and what is in the PMR may be read all the
 *	same
 *
 * Return: NULL, or what is wrong in the specification's names.
 */
const char *nvme_cmb_decode_pmrsts(u32 pmrsts, bool *read_only)
{
	unsigned int hsts = FIELD_GET(NVME_CMB_PMRSTS_HSTS, pmrsts);

	*read_only = false;
	if (pmrsts & NVME_CMB_PMRSTS_NRDY)
		return "PMRSTS.NRDY: not ready";
	if (pmrsts & NVME_CMB_PMRSTS_ERR)
		return "PMRSTS.ERR: something failed";
	*read_only = hsts == 1 || hsts == 2;
	switch (hsts) {
	case 0:
		return NULL;
	case 1:
		return "PMRSTS.HSTS: what was in it could not be restored in full";
	case 2:
		return "PMRSTS.HSTS: it is read-only";
	case 3:
		return "PMRSTS.HSTS: it has become unreliable";
	default:
		return "PMRSTS.HSTS is reserved";
	}
}

/**
 * nvme_cmb_clamp - keep a geometry inside its BAR
 * @geo: as nvme_cmb_decode() or nvme_cmb_decode_pmr() left it; @geo->size may shrink
 * @bar_len: length of BAR @geo->bir, 0 if it is not a memory BAR
 *
 * The size may be larger than the BAR (1.4, 3.1.13): what does not fit is out
 * of the host's reach. What is left is cut to whole 4 KiB, so that every
 * logical block size divides it.
 *
 * Return: NULL, or what is wrong in the specification's names.
 */
const char *nvme_cmb_clamp(struct nvme_cmb_geometry *geo, u64 bar_len)
{
	if (!bar_len)
		return "BIR names no memory BAR";
	if (geo->offset >= bar_len)
		return "OFST lies beyond the BAR";

	geo->size = min(geo->size, bar_len - geo->offset);
	geo->size = round_down(geo->size, SZ_4K);
	if (!geo->size)
		return "less than 4 KiB of it lies in the BAR";
	return NULL;
}
