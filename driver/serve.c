// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU copies a request's bytes: one task at a time, for all requests of a CMB.
 */
#include <linux/sched/clock.h>
#include <linux/workqueue.h>

#include "mq.h"

/* How long a task serves the requests of others, before a worker does. */
#define NVME_CMB_SERVE_MS	10

/* A wake-up takes longer than this, so that spinning is cheaper than sleeping. */
#define NVME_CMB_SPIN_NS	(32 * NSEC_PER_USEC)

static struct nvme_cmb_transfer *nvme_cmb_serve_transfer(struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	return &mq_req->transfer;
}

/**
 * nvme_cmb_end_request - end a request
 * @disk: the disk
 * @req: the request, of which nobody knows any more
 * @status: how it ended
 *
 * Context: any.
 */
void nvme_cmb_end_request(struct nvme_cmb_disk *disk, struct request *req,
			  blk_status_t status)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	if (mq_req->start_ns)
		nvme_cmb_account_end(disk, req_op(req), blk_rq_pos(req),
				     blk_rq_bytes(req), mq_req->start_ns,
				     mq_req->transfer.accesses, mq_req->staged);
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
static bool nvme_cmb_serve_enter(struct nvme_cmb_disk *disk, struct request *req)
{
	unsigned long flags;
	bool busy;

	/* An interrupt may have found that the controller could not do it. */
	spin_lock_irqsave(&disk->mq.lock, flags);
	list_add_tail(&req->queuelist, &disk->mq.pending);
	busy = disk->mq.busy;
	WRITE_ONCE(disk->mq.busy, true);
	spin_unlock_irqrestore(&disk->mq.lock, flags);
	return !busy;
}

/* Remove @done from the queue, and return the next request or NULL. */
static struct request *nvme_cmb_serve_next(struct nvme_cmb_disk *disk,
					   struct request *done)
{
	struct request *req;

	spin_lock_irq(&disk->mq.lock);
	if (done)
		list_del_init(&done->queuelist);
	req = list_first_entry_or_null(&disk->mq.pending, struct request,
				       queuelist);
	if (!req)
		WRITE_ONCE(disk->mq.busy, false);
	spin_unlock_irq(&disk->mq.lock);
	return req;
}

/* Stop serving, and take @req along, if no other request is queued. */
static bool nvme_cmb_serve_leave(struct nvme_cmb_disk *disk,
				 struct request *req)
{
	bool only;

	spin_lock_irq(&disk->mq.lock);
	only = list_is_singular(&disk->mq.pending);
	if (only) {
		list_del_init(&req->queuelist);
		WRITE_ONCE(disk->mq.busy, false);
	}
	spin_unlock_irq(&disk->mq.lock);
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
static void nvme_cmb_serve_queue(struct nvme_cmb_disk *disk,
				 struct request *own, bool may_wait)
{
	unsigned long end = jiffies + msecs_to_jiffies(NVME_CMB_SERVE_MS);
	struct nvme_cmb_transfer *transfer;
	struct request *req, *done;
	blk_status_t status;

	nvme_cmb_preempt_disable();
	req = nvme_cmb_serve_next(disk, NULL);
	while (req) {
		transfer = nvme_cmb_serve_transfer(req);
		if (req_op(req) == REQ_OP_FLUSH)
			status = nvme_cmb_flush(disk);
		else
			status = nvme_cmb_transfer_chunk(disk, transfer);
		if (status || !transfer->len) {
			done = req;
			if (done == own)
				own = NULL;
			req = nvme_cmb_serve_next(disk, done);
			nvme_cmb_end_request(disk, done, status);
			if (!req)
				break;
		}

		/* A task serves requests that are not its own only for a while. */
		if (!need_resched() && (own || time_before(jiffies, end)))
			continue;
		if (req == own && may_wait && nvme_cmb_serve_leave(disk, own)) {
			nvme_cmb_preempt_enable();
			cond_resched();
			transfer->now_ns = ktime_get_ns();
			if (!nvme_cmb_serve_enter(disk, own))
				return;
			nvme_cmb_preempt_disable();
			req = nvme_cmb_serve_next(disk, NULL);
			continue;
		}
		queue_work(disk->mq.wq, &disk->mq.work);
		break;
	}
	nvme_cmb_preempt_enable();
}

static void nvme_cmb_serve_work(struct work_struct *work)
{
	nvme_cmb_serve_queue(container_of(work, struct nvme_cmb_disk, mq.work),
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
static void nvme_cmb_serve_spin(struct nvme_cmb_disk *disk, struct request *req)
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

/**
 * nvme_cmb_serve - queue a request, and serve the queue if no other task does
 * @disk: the disk
 * @req: a request that has started
 * @may_wait: the caller has no more requests to submit, so that it may let others run
 *
 * Context: may sleep.
 */
void nvme_cmb_serve(struct nvme_cmb_disk *disk, struct request *req,
		    bool may_wait)
{
	if (READ_ONCE(disk->mq.busy))
		nvme_cmb_serve_spin(disk, req);
	if (nvme_cmb_serve_enter(disk, req))
		nvme_cmb_serve_queue(disk, req, may_wait);
}

/**
 * nvme_cmb_serve_later - queue a request for the worker
 * @disk: the disk
 * @req: a request that has started, of which no byte was copied
 *
 * Context: any.
 */
void nvme_cmb_serve_later(struct nvme_cmb_disk *disk, struct request *req)
{
	struct nvme_cmb_mq_request *mq_req = blk_mq_rq_to_pdu(req);

	mq_req->transfer.now_ns = ktime_get_ns();
	if (nvme_cmb_serve_enter(disk, req))
		queue_work(disk->mq.wq, &disk->mq.work);
}

/**
 * nvme_cmb_serve_init - prepare to serve the requests of a disk
 * @disk: the disk
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int nvme_cmb_serve_init(struct nvme_cmb_disk *disk)
{
	spin_lock_init(&disk->mq.lock);
	INIT_LIST_HEAD(&disk->mq.pending);
	INIT_WORK(&disk->mq.work, nvme_cmb_serve_work);
	/*
	 * Unbound, because any one CPU may be busy. For reclaim, because there may be swap
	 * on the disk. Of normal priority, because it also copies for tasks of low priority.
	 */
	disk->mq.wq = alloc_workqueue("nvme_cmb%d", WQ_UNBOUND | WQ_MEM_RECLAIM,
				      1, disk->ctrl->index);
	return disk->mq.wq ? 0 : -ENOMEM;
}

/**
 * nvme_cmb_serve_stop - let the worker end
 * @disk: the disk; its queue is quiesced, and all its requests have ended
 *
 * Context: may sleep.
 */
void nvme_cmb_serve_stop(struct nvme_cmb_disk *disk)
{
	cancel_work_sync(&disk->mq.work);
}

/**
 * nvme_cmb_serve_free - free what nvme_cmb_serve_init() had
 * @disk: the disk, after nvme_cmb_serve_stop(), or if it was never added
 *
 * Context: may sleep.
 */
void nvme_cmb_serve_free(struct nvme_cmb_disk *disk)
{
	destroy_workqueue(disk->mq.wq);
}
