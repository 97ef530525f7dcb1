// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/kernel.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/nvme.h>
#include <linux/sizes.h>

#include "regs.h"

/* CMBSZ.SZU: 4 KiB, 64 KiB, 1 MiB, ... 64 GiB; the values above are reserved */
#define NVME_CMBSZ_SZU_MAX	6

/* The registers that user space may see, PMR's last */
const struct nvme_cmb_reg nvme_cmb_registers[] = {
	{ "CAP", NVME_REG_CAP, 64, {
		{ "MQES", 0, 15 }, { "CQR", 16, 16 }, { "AMS", 17, 18 },
		{ "TO", 24, 31 }, { "DSTRD", 32, 35 }, { "NSSRS", 36, 36 },
		{ "CSS", 37, 44 }, { "BPS", 45, 45 }, { "MPSMIN", 48, 51 },
		{ "MPSMAX", 52, 55 }, { "PMRS", 56, 56 }, { "CMBS", 57, 57 },
	} },
	{ "VS", NVME_REG_VS, 32, {
		{ "MJR", 16, 31 }, { "MNR", 8, 15 }, { "TER", 0, 7 },
	} },
	{ "CC", NVME_REG_CC, 32, {
		{ "EN", 0, 0 }, { "CSS", 4, 6 }, { "MPS", 7, 10 },
		{ "AMS", 11, 13 }, { "SHN", 14, 15 }, { "IOSQES", 16, 19 },
		{ "IOCQES", 20, 23 },
	} },
	{ "CSTS", NVME_REG_CSTS, 32, {
		{ "RDY", 0, 0 }, { "CFS", 1, 1 }, { "SHST", 2, 3 },
		{ "NSSRO", 4, 4 }, { "PP", 5, 5 },
	} },
	{ "CMBLOC", NVME_REG_CMBLOC, 32, {
		{ "BIR", 0, 2 }, { "CQMMS", 3, 3 }, { "CQPDS", 4, 4 },
		{ "CDPMLS", 5, 5 }, { "CDPCILS", 6, 6 }, { "CDMMMS", 7, 7 },
		{ "CQDA", 8, 8 }, { "OFST", 12, 31 },
	} },
	{ "CMBSZ", NVME_REG_CMBSZ, 32, {
		{ "SQS", 0, 0 }, { "CQS", 1, 1 }, { "LISTS", 2, 2 },
		{ "RDS", 3, 3 }, { "WDS", 4, 4 }, { "SZU", 8, 11 },
		{ "SZ", 12, 31 },
	} },
	{ "CMBMSC", NVME_REG_CMBMSC, 64, {
		{ "CRE", 0, 0 }, { "CMSE", 1, 1 }, { "CBA", 12, 63 },
	} },
	{ "CMBSTS", NVME_CMB_REG_CMBSTS, 32, {
		{ "CBAI", 0, 0 },
	} },
	{ "PMRCAP", NVME_REG_PMRCAP, 32, {
		{ "RDS", 3, 3 }, { "WDS", 4, 4 }, { "BIR", 5, 7 },
		{ "PMRTU", 8, 9 }, { "PMRWBM", 10, 13 }, { "PMRTO", 16, 23 },
		{ "CMSS", 24, 24 },
	} },
	{ "PMRCTL", NVME_REG_PMRCTL, 32, {
		{ "EN", 0, 0 },
	} },
	{ "PMRSTS", NVME_REG_PMRSTS, 32, {
		{ "ERR", 0, 7 }, { "NRDY", 8, 8 }, { "HSTS", 9, 11 },
		{ "CBAI", 12, 12 },
	} },
	{ "PMREBS", NVME_REG_PMREBS, 32, {
		{ "PMRSZU", 0, 3 }, { "RBB", 4, 4 }, { "PMRWBZ", 8, 31 },
	} },
	{ "PMRSWTP", NVME_REG_PMRSWTP, 32, {
		{ "PMRSWTU", 0, 3 }, { "PMRSWTV", 8, 31 },
	} },
};

const unsigned int nvme_cmb_nr_registers = ARRAY_SIZE(nvme_cmb_registers);

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
 * nvme_cmb_pmr_health - name the health of a PMR (1.4, 3.1.24)
 * @hsts: PMRSTS.HSTS
 *
 * Return: the name, one word.
 */
const char *nvme_cmb_pmr_health(unsigned int hsts)
{
	static const char *const names[] = {
		"normal", "restore_error", "read_only", "unreliable",
	};

	return hsts < ARRAY_SIZE(names) ? names[hsts] : "reserved";
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
