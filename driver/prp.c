// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical Region Pages: where the bytes of a command lie in memory (1.4, 4.3).
 *
 * An entry is the address of a page of the controller's, whose size need not be that of the
 * CPU's. Only the first entry may begin within its page, and only the last page may be used
 * in part. So not every scatter-gather list can be described: a gap between two of its segments
 * cannot.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/nvme.h>

#include "prp.h"

/**
 * nvme_cmb_prps_init - begin with no entries
 * @prps: filled in
 * @page_shift: the controller's page size, as a power of two
 * @list: a page of the controller's, for entries
 * @list_dma: its address for the controller
 *
 * Context: any.
 */
void nvme_cmb_prps_init(struct nvme_cmb_prps *prps, unsigned int page_shift,
			__le64 *list, u64 list_dma)
{
	*prps = (struct nvme_cmb_prps) {
		.page_shift	= page_shift,
		.list		= list,
		.list_dma	= list_dma,
		.max		= (1U << page_shift) / sizeof(*list),
	};
}

/* Return: false if there is no room. */
static bool nvme_cmb_prps_add_page(struct nvme_cmb_prps *prps, u64 addr)
{
	if (prps->nr > prps->max)
		return false;
	if (prps->nr)
		prps->list[prps->nr - 1] = cpu_to_le64(addr);
	else
		prps->first = addr;
	prps->nr++;
	return true;
}

/**
 * nvme_cmb_prps_add - add what follows to a command's bytes
 * @prps: the entries so far
 * @addr: its address for the controller
 * @len: how much
 *
 * Context: any.
 * Return: 0, -EINVAL if PRP entries cannot describe it, or -E2BIG if the list is full. After an
 * error @prps is of no more use.
 */
int nvme_cmb_prps_add(struct nvme_cmb_prps *prps, u64 addr, size_t len)
{
	u64 mask = (1ULL << prps->page_shift) - 1;
	size_t part;

	/* The first entry is a multiple of four (1.4, figure 107). */
	if (!prps->nr && addr & 3)
		return -EINVAL;

	for (; len; len -= part, addr += part) {
		part = min_t(u64, len, mask + 1 - (addr & mask));
		if (prps->nr && (addr & mask || prps->end & mask)) {
			/* In the middle of a page: it has to be that of the last entry. */
			if (addr != prps->end)
				return -EINVAL;
		} else if (!nvme_cmb_prps_add_page(prps, addr)) {
			return -E2BIG;
		}
		prps->end = addr + part;
	}
	return 0;
}

/**
 * nvme_cmb_prps_set - give a command its data pointer
 * @prps: its entries, one at least
 * @cmd: the command
 *
 * Context: any.
 */
void nvme_cmb_prps_set(const struct nvme_cmb_prps *prps,
		       struct nvme_command *cmd)
{
	cmd->common.dptr.prp1 = cpu_to_le64(prps->first);
	if (prps->nr == 1)
		cmd->common.dptr.prp2 = 0;
	else if (prps->nr == 2)
		cmd->common.dptr.prp2 = prps->list[0];
	else
		cmd->common.dptr.prp2 = cpu_to_le64(prps->list_dma);
}
