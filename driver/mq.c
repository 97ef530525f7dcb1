// SPDX-License-Identifier: GPL-2.0-only
/*
 * blk-mq requests, each served where it was queued or by who has the window. For
 * a CMB, whose copy is so dear that getting to it in order pays.
 */
#include <linux/sched/clock.h>

#include "nvme_cmb.h"

#define NVME_CMB_QUEUE_DEPTH	64

/* How long a task serves others' requests before someone else has to. */
#define NVME_CMB_SERVE_MS	10

/* A wake-up takes longer than this, so that waiting is cheaper than sleeping. */
#define NVME_CMB_SPIN_NS	(32 * NSEC_PER_USEC)

static void nvme_cmb_mq_serve_one(struct nvme_cmb_disk *disk,
				  struct request *req)
{
	u64 start_ns = nvme_cmb_account_begin();
	u64 pos = (u64)blk_rq_pos(req) << SECTOR_SHIFT;
	u64 accesses = 0;
	blk_status_t status;

	if (nvme_cmb_fault_requeues(&disk->fault, req))
		return;

	switch (req_op(req)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		status = nvme_cmb_transfer(disk, req_op(req), req->bio, pos,
					   blk_rq_bytes(req), &accesses);
		break;
	case REQ_OP_FLUSH:
		status = nvme_cmb_flush(disk);
		break;
	default:
		status = BLK_STS_NOTSUPP;
		break;
	}

	if (start_ns)
		nvme_cmb_account_end(disk, req_op(req), blk_rq_pos(req),
				     blk_rq_bytes(req), start_ns, accesses);
	blk_mq_end_request(req, status);
}

static struct request *nvme_cmb_mq_next(struct nvme_cmb_disk *disk)
{
	struct request *req;

	spin_lock(&disk->mq.lock);
	req = list_first_entry_or_null(&disk->mq.pending, struct request,
				       queuelist);
	if (req)
		list_del_init(&req->queuelist);
	else
		WRITE_ONCE(disk->mq.busy, false);
	spin_unlock(&disk->mq.lock);
	return req;
}

/*
 * QEMU serves trapped accesses under one lock: two CPUs that access a CMB at
 * once get less from it together than one alone. So one task at a time has the
 * window. Whoever finds it taken leaves the request behind and goes; whoever has
 * it serves what was left, too. That keeps the window busy without hand-overs: a
 * wake-up costs as much as a copy of 4 KiB.
 *
 * A scheduling point comes after each stretch, and no sooner: the window is idle
 * while the task that has it is not running.
 */
static void nvme_cmb_mq_serve(struct nvme_cmb_disk *disk)
{
	unsigned long end = jiffies + msecs_to_jiffies(NVME_CMB_SERVE_MS);
	struct request *req;

	while ((req = nvme_cmb_mq_next(disk))) {
		disk->mq.moved += blk_rq_bytes(req);
		nvme_cmb_mq_serve_one(disk, req);
		if (time_after(jiffies, end)) {
			/* Others have had enough of this task's time. */
			kblockd_schedule_work(&disk->mq.work);
			return;
		}
		if (disk->mq.moved >= disk->win->stretch) {
			disk->mq.moved = 0;
			cond_resched();
		}
	}
}

static void nvme_cmb_mq_work(struct work_struct *work)
{
	nvme_cmb_mq_serve(container_of(work, struct nvme_cmb_disk, mq.work));
}

/*
 * Wait a little for the window if that is likely to be all it takes: if this request's
 * own copy is short, those before it may well be.
 *
 * There is no cpu_relax() in the loop, for it is what to avoid: PAUSE, too, is
 * trapped by an emulator, and takes the very lock that the copy needs. So does a clock
 * that is a device, as ktime's may be; the scheduler's never is.
 */
static void nvme_cmb_mq_spin(struct nvme_cmb_disk *disk, struct request *req)
{
	u64 copy_ns = div_u64((u64)blk_rq_bytes(req) * disk->win->read_ps,
			      1000 * disk->win->read->width);
	u64 end_ns;

	if (copy_ns > NVME_CMB_SPIN_NS)
		return;
	end_ns = local_clock() + NVME_CMB_SPIN_NS;
	while (READ_ONCE(disk->mq.busy) && local_clock() < end_ns)
		barrier();
}

static blk_status_t nvme_cmb_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *bd)
{
	struct nvme_cmb_disk *disk = hctx->queue->queuedata;
	bool busy;

	blk_mq_start_request(bd->rq);

	if (READ_ONCE(disk->mq.busy))
		nvme_cmb_mq_spin(disk, bd->rq);

	spin_lock(&disk->mq.lock);
	list_add_tail(&bd->rq->queuelist, &disk->mq.pending);
	busy = disk->mq.busy;
	WRITE_ONCE(disk->mq.busy, true);
	spin_unlock(&disk->mq.lock);

	if (!busy)
		nvme_cmb_mq_serve(disk);
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
 * The CPU does the copying, inside ->queue_rq, and a trapped access may cost
 * 15 us: 4 KiB alone would take 8 ms, and blk-mq dispatches whole batches. No
 * bound on the size of a request keeps that under 5 ms, so ->queue_rq has to be
 * allowed to sleep.
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

	spin_lock_init(&disk->mq.lock);
	INIT_LIST_HEAD(&disk->mq.pending);
	INIT_WORK(&disk->mq.work, nvme_cmb_mq_work);

	set->ops = &nvme_cmb_mq_ops;
	set->flags = BLK_MQ_F_BLOCKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	set->nr_hw_queues = 1;
	set->queue_depth = NVME_CMB_QUEUE_DEPTH;
	set->numa_node = dev_to_node(&disk->win->ctrl->pdev->dev);
	ret = blk_mq_alloc_tag_set(set);
	if (ret)
		return ERR_PTR(ret);

	gd = blk_mq_alloc_disk(set, lim, disk);
	if (IS_ERR(gd))
		blk_mq_free_tag_set(set);
	return gd;
}

/**
 * nvme_cmb_mq_stop - wait for whoever served the last request
 * @disk: the disk, after del_gendisk(): all requests have ended
 *
 * Who ended the last one may still be about to look for the next.
 *
 * Context: may sleep.
 */
void nvme_cmb_mq_stop(struct nvme_cmb_disk *disk)
{
	blk_mq_quiesce_queue(disk->gd->queue);
	cancel_work_sync(&disk->mq.work);
}

/**
 * nvme_cmb_mq_free_tags - free what nvme_cmb_mq_alloc_disk() had beside the gendisk
 * @disk: the disk; its gendisk was deleted, or put if it was never added
 *
 * Context: may sleep.
 */
void nvme_cmb_mq_free_tags(struct nvme_cmb_disk *disk)
{
	blk_mq_free_tag_set(&disk->mq.tag_set);
}
