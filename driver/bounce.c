// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the bytes of an admin command. The controller never sees memory of user space: it
 * may move more bytes than user space has room for, and it may do so when nobody waits any more.
 */
#include <linux/dma-mapping.h>
#include <linux/nvme.h>
#include <linux/slab.h>

#include "bounce.h"
#include "prp.h"

static void nvme_cmb_bounce_release(struct nvme_cmb_ctrl *ctrl,
				    struct nvme_cmb_bounce *bounce)
{
	dma_free_coherent(&ctrl->pdev->dev, bounce->size, bounce->mem, bounce->dma);
	kfree(bounce);
}

/**
 * nvme_cmb_bounce_alloc - get memory for the bytes of a command
 * @ctrl: the controller, which was enabled before
 * @sqe: the command; its data pointer is set
 * @len: how many bytes it may move, not 0
 *
 * The memory holds zeros.
 *
 * Context: may sleep.
 * Return: the memory, or an ERR_PTR(): -ENOMEM, or -E2BIG if one page of PRP entries is not
 * enough.
 */
struct nvme_cmb_bounce *nvme_cmb_bounce_alloc(struct nvme_cmb_ctrl *ctrl,
					      struct nvme_command *sqe, size_t len)
{
	size_t page = 1UL << ctrl->page_shift;
	struct nvme_cmb_bounce *bounce;
	struct nvme_cmb_prps prps;
	int ret;

	bounce = kzalloc(sizeof(*bounce), GFP_KERNEL);
	if (!bounce)
		return ERR_PTR(-ENOMEM);
	len = ALIGN(len, page);
	bounce->size = page + len;
	bounce->mem = dma_alloc_coherent(&ctrl->pdev->dev, bounce->size, &bounce->dma,
					 GFP_KERNEL | __GFP_NOWARN);
	if (!bounce->mem) {
		kfree(bounce);
		return ERR_PTR(-ENOMEM);
	}
	bounce->buf = bounce->mem + page;
	nvme_cmb_prps_init(&prps, ctrl->page_shift, bounce->mem, bounce->dma);
	ret = nvme_cmb_prps_add(&prps, bounce->dma + page, len);
	if (ret) {
		nvme_cmb_bounce_release(ctrl, bounce);
		return ERR_PTR(ret);
	}
	nvme_cmb_prps_set(&prps, sqe);
	return bounce;
}

/**
 * nvme_cmb_bounce_free - undo nvme_cmb_bounce_alloc()
 * @ctrl: the controller
 * @bounce: the memory
 * @status: of the command. After NVME_CMB_LOST the controller may still write to the memory. So
 *	it is kept until the controller was disabled
 *
 * Context: may sleep.
 */
void nvme_cmb_bounce_free(struct nvme_cmb_ctrl *ctrl, struct nvme_cmb_bounce *bounce,
			  u16 status)
{
	if (status == NVME_CMB_LOST)
		llist_add(&bounce->node, &ctrl->lost);
	else
		nvme_cmb_bounce_release(ctrl, bounce);
}

/**
 * nvme_cmb_bounce_free_lost - free the memory of commands that were lost
 * @ctrl: the controller, which was disabled since, or is removed
 *
 * Context: may sleep.
 */
void nvme_cmb_bounce_free_lost(struct nvme_cmb_ctrl *ctrl)
{
	struct llist_node *lost = llist_del_all(&ctrl->lost);
	struct nvme_cmb_bounce *bounce, *next;

	llist_for_each_entry_safe(bounce, next, lost, node)
		nvme_cmb_bounce_release(ctrl, bounce);
}
