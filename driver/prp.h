/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical Region Pages: where the bytes of a command lie in memory (1.4, 4.3).
 */
#ifndef NVME_CMB_PRP_H
#define NVME_CMB_PRP_H

#include <linux/types.h>

struct nvme_command;

/**
 * struct nvme_cmb_prps - the PRP entries of one command, as they are collected
 * @page_shift: the controller's page size (CC.MPS), as a power of two
 * @list: memory for all entries but the first
 * @list_dma: its address for the controller, a multiple of the controller's page
 * @max: entries that fit in @list; none crosses a page, so that no list is chained
 * @first: PRP1
 * @nr: entries so far, the first included
 * @end: address after the last byte so far
 */
struct nvme_cmb_prps {
	unsigned int page_shift;
	__le64 *list;
	u64 list_dma;
	unsigned int max;
	u64 first;
	unsigned int nr;
	u64 end;
};

void nvme_cmb_prps_init(struct nvme_cmb_prps *prps, unsigned int page_shift,
			__le64 *list, u64 list_dma);
int nvme_cmb_prps_add(struct nvme_cmb_prps *prps, u64 addr, size_t len);
void nvme_cmb_prps_set(const struct nvme_cmb_prps *prps,
		       struct nvme_command *cmd);

#endif
