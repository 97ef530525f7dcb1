// SPDX-License-Identifier: GPL-2.0-only
/*
 * blk-mq requests, each served where it was queued or by who has the window. For
 * a CMB, whose copy is so dear that getting to it in order pays.
 */
#include <linux/sched/clock.h>
#include <linux/workqueue.h>

#include "disk.h"

#define NVME_CMB_QUEUE_DEPTH	64

/* How long a task serves others' requests before someone else has to. */
#define NVME_CMB_SERVE_MS	10

/* A wake-up takes longer than this, so that waiting is cheaper than sleeping. */
#define NVME_CMB_SPIN_NS	(32 * NSEC_PER_USEC)

/* What blk-mq keeps behind each request for this driver. */
struct nvme_cmb_mq_request {
	struct nvme_cmb_transfer transfer;
	u64 start_ns;
};

static struct nvme_cmb_transfer *nvme_cmb_mq_transfer(struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	return &mq_req->transfer;
}

static void nvme_cmb_mq_end(struct nvme_cmb_disk *disk, struct request *req,
			    blk_status_t status)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	if (mq_req->start_ns)
		nvme_cmb_account_end(disk, req_op(req), blk_rq_pos(req),
				     blk_rq_bytes(req), mq_req->start_ns,
				     mq_req->transfer.accesses);
	blk_mq_end_request(req, status);
}

/*
 * QEMU serves trapped accesses under one lock: two CPUs that access a CMB at once get less
 * from it together than one alone. So one task at a time has the window. Whoever finds it
 * taken leaves the request behind and goes; whoever has it serves what was left, too. That
 * keeps the window busy without hand-overs: a wake-up costs as much as a copy of 4 KiB.
 *
 * Return: true if the caller has the window now.
 */
static bool nvme_cmb_mq_enter(struct nvme_cmb_disk *disk, struct request *req)
{
	bool busy;

	spin_lock(&disk->mq.lock);
	list_add_tail(&req->queuelist, &disk->mq.pending);
	busy = disk->mq.busy;
	WRITE_ONCE(disk->mq.busy, true);
	spin_unlock(&disk->mq.lock);
	return !busy;
}

/* The next request for who has the window, and @done is none any more. */
static struct request *nvme_cmb_mq_next(struct nvme_cmb_disk *disk,
					struct request *done)
{
	struct request *req;

	spin_lock(&disk->mq.lock);
	if (done)
		list_del_init(&done->queuelist);
	req = list_first_entry_or_null(&disk->mq.pending, struct request,
				       queuelist);
	if (!req)
		WRITE_ONCE(disk->mq.busy, false);
	spin_unlock(&disk->mq.lock);
	return req;
}

/* Give the window up, and take @req along, if that is the only request. */
static bool nvme_cmb_mq_leave(struct nvme_cmb_disk *disk, struct request *req)
{
	bool only;

	spin_lock(&disk->mq.lock);
	only = list_is_singular(&disk->mq.pending);
	if (only) {
		list_del_init(&req->queuelist);
		WRITE_ONCE(disk->mq.busy, false);
	}
	spin_unlock(&disk->mq.lock);
	return only;
}

/*
 * Serve what is pending, chunk by chunk. Nobody may have to wait for a task that is not
 * running: so whoever has the window keeps the CPU, and gives up both together. On
 * PREEMPT_RT the owner of any lock may be preempted, and so may this one.
 *
 * @own is what the caller came with, and serves until others want the CPU. It waits for them
 * with @own in its hands, if nobody waits for the window; else a worker serves on.
 */
static void nvme_cmb_mq_serve(struct nvme_cmb_disk *disk, struct request *own,
			      bool may_wait)
{
	unsigned long end = jiffies + msecs_to_jiffies(NVME_CMB_SERVE_MS);
	struct nvme_cmb_transfer *transfer;
	struct request *req, *done;
	blk_status_t status;

	nvme_cmb_preempt_disable();
	req = nvme_cmb_mq_next(disk, NULL);
	while (req) {
		transfer = nvme_cmb_mq_transfer(req);
		if (req_op(req) == REQ_OP_FLUSH)
			status = nvme_cmb_flush(disk);
		else
			status = nvme_cmb_transfer_chunk(disk, transfer);
		if (status || !transfer->len) {
			done = req;
			if (done == own)
				own = NULL;
			req = nvme_cmb_mq_next(disk, done);
			nvme_cmb_mq_end(disk, done, status);
			if (!req)
				break;
		}

		/* Once it serves others only, they have it for a while, and no longer. */
		if (!need_resched() && (own || time_before(jiffies, end)))
			continue;
		if (req == own && may_wait && nvme_cmb_mq_leave(disk, own)) {
			nvme_cmb_preempt_enable();
			cond_resched();
			transfer->now_ns = ktime_get_ns();
			if (!nvme_cmb_mq_enter(disk, own))
				return;
			nvme_cmb_preempt_disable();
			req = nvme_cmb_mq_next(disk, NULL);
			continue;
		}
		queue_work(disk->mq.wq, &disk->mq.work);
		break;
	}
	nvme_cmb_preempt_enable();
}

static void nvme_cmb_mq_work(struct work_struct *work)
{
	nvme_cmb_mq_serve(container_of(work, struct nvme_cmb_disk, mq.work),
			  NULL, false);
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

/* All that can fail, or wait, before the request is for whoever has the window. */
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
	if (nvme_cmb_fault_strikes(&disk->fault, blk_rq_bytes(req)))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

static blk_status_t nvme_cmb_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *bd)
{
	struct nvme_cmb_disk *disk = hctx->queue->queuedata;
	blk_status_t status;

	blk_mq_start_request(bd->rq);

	if (nvme_cmb_fault_requeues(&disk->fault, bd->rq))
		return BLK_STS_OK;
	status = nvme_cmb_mq_prepare(disk, bd->rq);
	if (status)
		return status;

	if (READ_ONCE(disk->mq.busy))
		nvme_cmb_mq_spin(disk, bd->rq);
	/* Behind this request there may be others', in the hands of this task. */
	if (nvme_cmb_mq_enter(disk, bd->rq))
		nvme_cmb_mq_serve(disk, bd->rq, bd->last);
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
	/*
	 * Of no CPU, for that may be busy; for reclaim, as there may be swap on the disk; of
	 * normal priority, for it copies for whoever asks, also for those of a low one.
	 */
	disk->mq.wq = alloc_workqueue("nvme_cmb%d", WQ_UNBOUND | WQ_MEM_RECLAIM,
				      1, disk->index);
	if (!disk->mq.wq)
		return ERR_PTR(-ENOMEM);

	set->cmd_size = sizeof(struct nvme_cmb_mq_request);
	set->ops = &nvme_cmb_mq_ops;
	set->flags = BLK_MQ_F_BLOCKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	set->nr_hw_queues = 1;
	set->queue_depth = NVME_CMB_QUEUE_DEPTH;
	set->numa_node = dev_to_node(&disk->win->ctrl->pdev->dev);
	ret = blk_mq_alloc_tag_set(set);
	if (ret)
		goto out_destroy_wq;

	gd = blk_mq_alloc_disk(set, lim, disk);
	if (IS_ERR(gd)) {
		ret = PTR_ERR(gd);
		goto out_free_tag_set;
	}
	return gd;

out_free_tag_set:
	blk_mq_free_tag_set(set);
out_destroy_wq:
	destroy_workqueue(disk->mq.wq);
	return ERR_PTR(ret);
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
 * nvme_cmb_mq_free - free what nvme_cmb_mq_alloc_disk() had beside the gendisk
 * @disk: the disk; its gendisk was deleted, or put if it was never added
 *
 * Context: may sleep.
 */
void nvme_cmb_mq_free(struct nvme_cmb_disk *disk)
{
	blk_mq_free_tag_set(&disk->mq.tag_set);
	destroy_workqueue(disk->mq.wq);
}
