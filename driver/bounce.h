/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for the bytes of an admin command.
 */
#ifndef NVME_CMB_BOUNCE_H
#define NVME_CMB_BOUNCE_H

#include <linux/llist.h>

#include "ctrl.h"

struct nvme_command;

/**
 * struct nvme_cmb_bounce - memory for the bytes of one command
 * @buf: the bytes
 * @mem: a page of the controller's for PRP entries, and @buf
 * @dma: its address for the controller
 * @size: its length
 * @node: in &nvme_cmb_ctrl.lost
 */
struct nvme_cmb_bounce {
	void *buf;
	void *mem;
	dma_addr_t dma;
	size_t size;
	struct llist_node node;
};

struct nvme_cmb_bounce *nvme_cmb_bounce_alloc(struct nvme_cmb_ctrl *ctrl,
					      struct nvme_command *sqe, size_t len);
void nvme_cmb_bounce_free(struct nvme_cmb_ctrl *ctrl, struct nvme_cmb_bounce *bounce,
			  u16 status);
void nvme_cmb_bounce_free_lost(struct nvme_cmb_ctrl *ctrl);

#endif
