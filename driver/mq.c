// SPDX-License-Identifier: GPL-2.0-only
/*
 * What blk-mq calls, for a CMB. The controller moves the bytes of a request (staged.c), or a
 * task copies them (serve.c).
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
	mq_req->staged = false;
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

static void nvme_cmb_mq_staged_end(struct request *req,
				   enum nvme_cmb_staged_end end)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);
	struct nvme_cmb_disk *disk = req->q->queuedata;

	if (end == NVME_CMB_STAGED_UNDONE) {
		WRITE_ONCE(mq_req->staged, false);
		nvme_cmb_serve_later(disk, req);
		return;
	}
	mq_req->status = end == NVME_CMB_STAGED_DONE ? BLK_STS_OK : BLK_STS_IOERR;
	blk_mq_complete_request(req);
}

static void nvme_cmb_mq_staged_complete(struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	nvme_cmb_end_request(req->q->queuedata, req, mq_req->status);
}

/* The CPU's copies have a bound of their own. */
static enum blk_eh_timer_return nvme_cmb_mq_timed_out(struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);
	struct nvme_cmb_disk *disk = req->q->queuedata;

	if (READ_ONCE(mq_req->staged))
		nvme_cmb_staged_timed_out(disk->mq.staging, req);
	return blk_mq_rq_state(req) == MQ_RQ_IN_FLIGHT ? BLK_EH_RESET_TIMER : BLK_EH_DONE;
}

/* Return: true if the controller moves the request's bytes. */
static bool nvme_cmb_mq_stage(struct nvme_cmb_disk *disk, struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);
	struct nvme_cmb_staging *staging = disk->mq.staging;

	if (!staging || disk->state || req_op(req) == REQ_OP_FLUSH ||
	    !nvme_cmb_ctrl_is(disk->ctrl, NVME_CMB_CTRL_LIVE))
		return false;
	/* Set before: the request may end, and its tag be reused, before submit returns. */
	WRITE_ONCE(mq_req->staged, true);
	if (nvme_cmb_staged_submit(staging, req))
		return true;
	WRITE_ONCE(mq_req->staged, false);
	return false;
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

	if (nvme_cmb_mq_stage(disk, bd->rq))
		return BLK_STS_OK;
	/* If !bd->last, this task has more requests to submit, and must not wait. */
	nvme_cmb_serve(disk, bd->rq, bd->last);
	return BLK_STS_OK;
}

/*
 * A hardware queue has the CPUs of its interrupt, and goes with them when they go offline. Those
 * that are polled come last.
 */
static void nvme_cmb_mq_map_queues(struct blk_mq_tag_set *set)
{
	struct nvme_cmb_disk *disk = set->driver_data;
	struct blk_mq_queue_map *map = &set->map[HCTX_TYPE_DEFAULT];
	struct blk_mq_queue_map *poll = &set->map[HCTX_TYPE_POLL];

	map->nr_queues = min(set->nr_hw_queues, max(disk->ctrl->nr_irq, 1U));
	if (map->nr_queues > 1)
		blk_mq_map_hw_queues(map, &disk->ctrl->pdev->dev, 1);
	else
		blk_mq_map_queues(map);
	if (set->nr_maps <= HCTX_TYPE_POLL)
		return;
	/* Reads go with all others that are not polled. */
	set->map[HCTX_TYPE_READ].nr_queues = 0;
	poll->queue_offset = map->nr_queues;
	poll->nr_queues = set->nr_hw_queues - map->nr_queues;
	blk_mq_map_queues(poll);
}

static int nvme_cmb_mq_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *batch)
{
	struct nvme_cmb_disk *disk = hctx->queue->queuedata;

	return nvme_cmb_staged_poll(disk->ctrl, hctx->queue_num);
}

static const struct blk_mq_ops nvme_cmb_mq_ops = {
	.queue_rq	= nvme_cmb_queue_rq,
	.complete	= nvme_cmb_mq_staged_complete,
	.timeout	= nvme_cmb_mq_timed_out,
	.map_queues	= nvme_cmb_mq_map_queues,
	.poll		= nvme_cmb_mq_poll,
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
	/* Tags are those of slots, too: there is one of each number. */
	set->flags = BLK_MQ_F_BLOCKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT |
		     BLK_MQ_F_TAG_HCTX_SHARED;
	set->nr_hw_queues = max(disk->ctrl->nr_io, 1U);
	if (disk->ctrl->nr_io > disk->ctrl->nr_irq)
		set->nr_maps = HCTX_MAX_TYPES;
	set->driver_data = disk;
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
 * nvme_cmb_mq_set_staging - let the controller move the bytes of requests, or no more
 * @disk: the disk, which nobody has open
 * @nsid: the scratch namespace, 0 for none
 * @force: whatever it holds may be lost
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 * Return: 0, or an errno, and then there is none.
 */
int nvme_cmb_mq_set_staging(struct nvme_cmb_disk *disk, u32 nsid, bool force)
{
	struct nvme_cmb_staging *staging;

	/*
	 * The task that submitted the last request may not have returned yet, nor may the work
	 * that has found it to be late.
	 */
	if (disk->mq.staging) {
		blk_mq_quiesce_queue(disk->gd->queue);
		blk_sync_queue(disk->gd->queue);
	}
	staging = disk->mq.staging;
	disk->mq.staging = NULL;
	if (staging)
		blk_mq_unquiesce_queue(disk->gd->queue);
	nvme_cmb_staging_free(staging);
	if (!nsid)
		return 0;
	staging = nvme_cmb_staging_alloc(disk->win, nsid, NVME_CMB_QUEUE_DEPTH,
					 queue_max_hw_sectors(disk->gd->queue) << SECTOR_SHIFT,
					 queue_logical_block_size(disk->gd->queue),
					 force, nvme_cmb_mq_staged_end);
	if (IS_ERR(staging)) {
		pci_err(disk->ctrl->pdev, "%s: no staged copies by way of namespace %u: %pe\n",
			disk->gd->disk_name, nsid, staging);
		return PTR_ERR(staging);
	}
	disk->mq.staging = staging;
	return 0;
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
	nvme_cmb_staging_free(disk->mq.staging);
	blk_mq_free_tag_set(&disk->mq.tag_set);
	nvme_cmb_serve_free(disk);
}
