// SPDX-License-Identifier: GPL-2.0-only
/*
 * blk-mq requests, for a CMB. Its copy is so dear that it pays to serialise requests.
 */
#include <linux/sched/clock.h>
#include <linux/workqueue.h>

#include "disk.h"

#define NVME_CMB_QUEUE_DEPTH	64

/* How long a task serves the requests of others, before a worker does. */
#define NVME_CMB_SERVE_MS	10

/* A wake-up takes longer than this, so that spinning is cheaper than sleeping. */
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

static void nvme_cmb_mq_complete(struct nvme_cmb_disk *disk,
				 struct request *req, blk_status_t status)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	if (mq_req->start_ns)
		nvme_cmb_account_end(disk, req_op(req), blk_rq_pos(req),
				     blk_rq_bytes(req), mq_req->start_ns,
				     mq_req->transfer.accesses);
	blk_mq_end_request(req, status);
}

/*
 * Queue a request, and try to become the task that serves.
 *
 * QEMU serves trapped accesses under one lock: two CPUs that access a CMB at once copy less
 * together than one of them alone. So one task at a time serves all requests. The others
 * queue theirs and return. The window is busy all the time without hand-overs from task to
 * task, and that matters: a wake-up costs as much as a copy of 4 KiB.
 *
 * Return: true if the caller has to serve now.
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

/* Remove @done from the queue, and return the next request or NULL. */
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

/* Stop serving, and take @req along, if no other request is queued. */
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
 * Serve the queue, chunk by chunk. No request may have to wait for a task that does not run.
 * So the task that serves is not preempted, and stops serving when others want the CPU. (On
 * PREEMPT_RT the owner of any lock may be preempted, and so may this task.)
 *
 * @own is the caller's own request. If no other request is queued when others want the CPU,
 * the task takes @own along, and queues it again afterwards. Otherwise the worker goes on.
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
			nvme_cmb_mq_complete(disk, done, status);
			if (!req)
				break;
		}

		/* A task serves requests that are not its own only for a while. */
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
 * Spin for a little while, if the queue is likely to be empty by then. If this request is
 * short, those before it probably are, too.
 *
 * There is no cpu_relax() in the loop: an emulator may trap PAUSE, and take the lock that the
 * copy needs. The same is true for a clock that is a device, as the clock of ktime may be.
 * The clock of the scheduler never is.
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

	if (READ_ONCE(disk->mq.busy))
		nvme_cmb_mq_spin(disk, bd->rq);
	/* If !bd->last, this task has more requests to submit, and must not wait. */
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

	spin_lock_init(&disk->mq.lock);
	INIT_LIST_HEAD(&disk->mq.pending);
	INIT_WORK(&disk->mq.work, nvme_cmb_mq_work);
	/*
	 * Unbound, because any one CPU may be busy. For reclaim, because there may be swap
	 * on the disk. Of normal priority, because it also copies for tasks of low priority.
	 */
	disk->mq.wq = alloc_workqueue("nvme_cmb%d", WQ_UNBOUND | WQ_MEM_RECLAIM,
				      1, disk->ctrl->index);
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
