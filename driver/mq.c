// SPDX-License-Identifier: GPL-2.0-only
/*
 * blk-mq requests, for a CMB. Its copy is so dear that it pays to serialise requests.
 */
#include "mq.h"

#define NVME_CMB_QUEUE_DEPTH	64

/* All that can fail, or sleep, before the request is queued. */
static blk_status_t nvme_cmb_mq_prepare(struct nvme_cmb_disk *disk,
					struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);
	u64 pos = (u64)blk_rq_pos(req) << SECTOR_SHIFT;

	switch (req_op(req)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
	case REQ_OP_FLUSH:
		break;
	default:
		return BLK_STS_NOTSUPP;
	}

	mq_req->start_ns = nvme_cmb_account_begin();
	/* A flush has no bytes, and may have no bio. */
	if (req_op(req) == REQ_OP_FLUSH)
		mq_req->transfer = (struct nvme_cmb_transfer) {};
	else
		nvme_cmb_transfer_init(&mq_req->transfer, disk, req_op(req),
				       req->bio, pos, blk_rq_bytes(req));
	if (nvme_cmb_should_fail(&disk->fault, blk_rq_bytes(req)))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

static blk_status_t nvme_cmb_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *bd)
{
	struct nvme_cmb_disk *disk = hctx->queue->queuedata;
	blk_status_t status;

	blk_mq_start_request(bd->rq);

	if (nvme_cmb_should_requeue(&disk->fault, bd->rq))
		return BLK_STS_OK;
	status = nvme_cmb_mq_prepare(disk, bd->rq);
	if (status)
		return status;

	/* If !bd->last, this task has more requests to submit, and must not wait. */
	nvme_cmb_serve(disk, bd->rq, bd->last);
	return BLK_STS_OK;
}

static const struct blk_mq_ops nvme_cmb_mq_ops = {
	.queue_rq	= nvme_cmb_queue_rq,
};

/**
 * nvme_cmb_mq_alloc_disk - a gendisk that is served by requests
 * @disk: the disk; its window is set
 * @lim: its limits
 *
 * The CPU copies, inside ->queue_rq. A trapped access may cost 15 us, so that 4 KiB alone
 * take 8 ms, and blk-mq dispatches batches of requests. No limit on the size of a request
 * keeps that short enough to do without a scheduling point. So ->queue_rq may sleep.
 *
 * Context: may sleep.
 * Return: the gendisk, or an ERR_PTR() of what the block layer returned.
 */
struct gendisk *nvme_cmb_mq_alloc_disk(struct nvme_cmb_disk *disk,
				       struct queue_limits *lim)
{
	struct blk_mq_tag_set *set = &disk->mq.tag_set;
	struct gendisk *gd;
	int ret;

	ret = nvme_cmb_serve_init(disk);
	if (ret)
		return ERR_PTR(ret);

	set->cmd_size = sizeof(struct nvme_cmb_mq_request);
	set->ops = &nvme_cmb_mq_ops;
	set->flags = BLK_MQ_F_BLOCKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	set->nr_hw_queues = 1;
	set->queue_depth = NVME_CMB_QUEUE_DEPTH;
	set->numa_node = dev_to_node(&disk->win->ctrl->pdev->dev);
	ret = blk_mq_alloc_tag_set(set);
	if (ret)
		goto out_free_serve;

	gd = blk_mq_alloc_disk(set, lim, disk);
	if (IS_ERR(gd)) {
		ret = PTR_ERR(gd);
		goto out_free_tag_set;
	}
	return gd;

out_free_tag_set:
	blk_mq_free_tag_set(set);
out_free_serve:
	nvme_cmb_serve_free(disk);
	return ERR_PTR(ret);
}

/**
 * nvme_cmb_mq_stop - wait for the task that served the last request
 * @disk: the disk, after del_gendisk(): all requests have ended
 *
 * The task that ended the last request may still be about to look for another.
 *
 * Context: may sleep.
 */
void nvme_cmb_mq_stop(struct nvme_cmb_disk *disk)
{
	blk_mq_quiesce_queue(disk->gd->queue);
	nvme_cmb_serve_stop(disk);
}

/**
 * nvme_cmb_mq_free - free what nvme_cmb_mq_alloc_disk() had beside the gendisk
 * @disk: the disk; its gendisk was deleted, or put if it was never added
 *
 * Context: may sleep.
 */
void nvme_cmb_mq_free(struct nvme_cmb_disk *disk)
{
	blk_mq_free_tag_set(&disk->mq.tag_set);
	nvme_cmb_serve_free(disk);
}
