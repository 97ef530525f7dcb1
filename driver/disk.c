// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disk: blk-mq requests, each served where it was queued, by a copy.
 */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "nvme_cmb.h"

/* A longer request gains nothing, and must finish before a freeze can. */
#define NVME_CMB_MAX_SECTORS	(SZ_1M >> SECTOR_SHIFT)
#define NVME_CMB_QUEUE_DEPTH	64

static DEFINE_IDA(nvme_cmb_ida);

/* How long a task serves others' requests before someone else has to. */
#define NVME_CMB_SERVE_MS	10

/* A wake-up takes longer than this, so that waiting is cheaper than sleeping. */
#define NVME_CMB_SPIN_NS	(32 * NSEC_PER_USEC)

/*
 * FAILED: requests fail until the window is found intact again, which each of them
 * tries. GONE: the device has left its slot, and no other in it can be this one.
 */
enum { NVME_CMB_FAILED, NVME_CMB_GONE };

/**
 * struct nvme_cmb_disk - one gendisk over one window
 * @win: the window; valid until nvme_cmb_disk_del() returns
 * @tag_set: its tags
 * @gd: its gendisk; an opener may keep it, and this struct, past the window
 * @index: the number in its name
 * @lock: protects @pending and @busy
 * @pending: requests that wait for the window
 * @busy: someone is serving, and will look at @pending again
 * @moved: bytes since the last scheduling point; belongs to who is serving
 * @seen: when the controller was last seen alive, in jiffies; likewise
 * @work: serves on when a task has served others for long enough
 * @state: NVME_CMB_FAILED and NVME_CMB_GONE, as bits
 * @gone: tells the block layer that the disk is gone
 * @account: what it all cost; belongs to who is serving
 * @fault: what tests want to go wrong
 */
struct nvme_cmb_disk {
	const struct nvme_cmb_window *win;
	struct blk_mq_tag_set tag_set;
	struct gendisk *gd;
	int index;

	spinlock_t lock;	/* of the next two */
	struct list_head pending;
	bool busy;
	unsigned int moved;
	unsigned long seen;
	struct work_struct work;

	unsigned long state;
	struct work_struct gone;

	struct nvme_cmb_account account;
	struct nvme_cmb_fault fault;
};

/*
 * A scheduling point after each stretch, and no sooner: the window is idle while
 * the task that has it is not running.
 */
static void nvme_cmb_moved(struct nvme_cmb_disk *disk, unsigned int len)
{
	disk->moved += len;
	if (disk->moved < disk->win->stretch)
		return;
	disk->moved = 0;
	cond_resched();
}

/**
 * nvme_cmb_disk_fail - the controller does not answer, or is not the same
 * @disk: its disk
 *
 * Requests fail from here on. The next one that finds the controller answering,
 * with all registers as they were at probe, ends that. If the device itself is
 * gone, so is the disk, at once and for good.
 *
 * Context: any.
 */
void nvme_cmb_disk_fail(struct nvme_cmb_disk *disk)
{
	const struct nvme_cmb_ctrl *ctrl = disk->win->ctrl;

	if (!test_and_set_bit(NVME_CMB_FAILED, &disk->state))
		pci_err(ctrl->pdev, "%s: the controller stopped answering, requests fail\n",
			disk->gd->disk_name);
	if (!nvme_cmb_ctrl_present(ctrl) &&
	    !test_and_set_bit(NVME_CMB_GONE, &disk->state)) {
		pci_err(ctrl->pdev, "%s: the device is gone\n",
			disk->gd->disk_name);
		schedule_work(&disk->gone);
	}
}

static void nvme_cmb_gone(struct work_struct *work)
{
	struct nvme_cmb_disk *disk = container_of(work, struct nvme_cmb_disk,
						  gone);

	blk_mark_disk_dead(disk->gd);
}

/* After a copy: was it one? */
static bool nvme_cmb_see(struct nvme_cmb_disk *disk)
{
	if (!nvme_cmb_ctrl_alive(disk->win->ctrl)) {
		nvme_cmb_disk_fail(disk);
		return false;
	}
	disk->seen = jiffies;
	return true;
}

/* Before a copy: has the controller been seen alive only now? */
static bool nvme_cmb_ready(struct nvme_cmb_disk *disk)
{
	if (test_bit(NVME_CMB_GONE, &disk->state))
		return false;
	if (!test_bit(NVME_CMB_FAILED, &disk->state))
		return nvme_cmb_is_fresh(disk->seen) || nvme_cmb_see(disk);

	if (!nvme_cmb_window_intact(disk->win)) {
		nvme_cmb_disk_fail(disk);
		return false;
	}
	pci_info(disk->win->ctrl->pdev, "%s: the controller answers again\n",
		 disk->gd->disk_name);
	disk->seen = jiffies;
	clear_bit(NVME_CMB_FAILED, &disk->state);
	return true;
}

/* Copy @len bytes of @req between @pos and where @iter stands, and move that on. */
static u64 nvme_cmb_copy(const struct nvme_cmb_window *win, struct request *req,
			 struct req_iterator *iter, u64 pos, size_t len)
{
	u64 accesses = 0;

	if (req_op(req) != REQ_OP_READ && req_op(req) != REQ_OP_WRITE)
		return nvme_cmb_copy_zero(win, pos, len);

	while (len) {
		struct bio_vec bvec = bio_iter_iovec(iter->bio, iter->iter);
		size_t part = min_t(size_t, len, bvec.bv_len);
		void *buf = bvec_kmap_local(&bvec);

		if (req_op(req) == REQ_OP_READ)
			accesses += nvme_cmb_copy_from(win, buf, pos, part);
		else
			accesses += nvme_cmb_copy_to(win, pos, buf, part);
		kunmap_local(buf);
		pos += part;
		len -= part;

		bio_advance_iter_single(iter->bio, &iter->iter, part);
		if (!iter->iter.bi_size && iter->bio->bi_next) {
			iter->bio = iter->bio->bi_next;
			iter->iter = iter->bio->bi_iter;
		}
	}
	return accesses;
}

/*
 * Stretch by stretch, each between two sights of the controller. A stretch that took
 * so long that a silence may hide in it is copied again, in halves: who interrupted
 * this copy would do the same to one as long.
 */
static blk_status_t nvme_cmb_transfer(struct nvme_cmb_disk *disk,
				      struct request *req, u64 *accesses)
{
	struct req_iterator iter = {
		.bio	= req->bio,
		.iter	= req->bio->bi_iter,
	};
	u64 pos = (u64)blk_rq_pos(req) << SECTOR_SHIFT;
	size_t stretch = disk->win->stretch;
	size_t left = blk_rq_bytes(req);

	while (left) {
		size_t len = min(left, stretch);
		struct req_iterator begin = iter;
		unsigned long seen;

		if (!nvme_cmb_ready(disk))
			return BLK_STS_IOERR;
		seen = disk->seen;
		*accesses += nvme_cmb_copy(disk->win, req, &iter, pos, len);
		if (!nvme_cmb_see(disk))
			return BLK_STS_IOERR;
		if (nvme_cmb_is_fresh(seen) || len == NVME_CMB_ACCESS) {
			pos += len;
			left -= len;
		} else {
			iter = begin;
			stretch = round_up(len / 2, NVME_CMB_ACCESS);
		}
		nvme_cmb_moved(disk, len);
	}
	return BLK_STS_OK;
}

static void nvme_cmb_serve_one(struct nvme_cmb_disk *disk, struct request *req)
{
	const struct nvme_cmb_window *win = disk->win;
	u64 start_ns = nvme_cmb_account_begin();
	u64 accesses = 0;
	blk_status_t status;

	if (nvme_cmb_fault_hits(&disk->fault, req))
		return;

	switch (req_op(req)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		status = nvme_cmb_transfer(disk, req, &accesses);
		break;
	case REQ_OP_FLUSH:
		/* No cache stands before a CMB: nothing but to see it live. */
		status = nvme_cmb_ready(disk) ? BLK_STS_OK : BLK_STS_IOERR;
		break;
	default:
		status = BLK_STS_NOTSUPP;
		break;
	}

	if (start_ns)
		nvme_cmb_account_end(&disk->account, disk->gd, req, start_ns,
				     accesses, req_op(req) == REQ_OP_READ ?
				     win->read : win->write);
	blk_mq_end_request(req, status);
}

static struct request *nvme_cmb_next(struct nvme_cmb_disk *disk)
{
	struct request *req;

	spin_lock(&disk->lock);
	req = list_first_entry_or_null(&disk->pending, struct request,
				       queuelist);
	if (req)
		list_del_init(&req->queuelist);
	else
		WRITE_ONCE(disk->busy, false);
	spin_unlock(&disk->lock);
	return req;
}

/*
 * QEMU serves trapped accesses under one lock: two CPUs that access a CMB at
 * once get less from it together than one alone. So one task at a time has the
 * window. Whoever finds it taken leaves the request behind and goes; whoever has
 * it serves what was left, too. That keeps the window busy without hand-overs: a
 * wake-up costs as much as a copy of 4 KiB.
 */
static void nvme_cmb_serve(struct nvme_cmb_disk *disk)
{
	unsigned long end = jiffies + msecs_to_jiffies(NVME_CMB_SERVE_MS);
	struct request *req;

	while ((req = nvme_cmb_next(disk))) {
		nvme_cmb_serve_one(disk, req);
		if (time_after(jiffies, end)) {
			/* Others have had enough of this task's time. */
			kblockd_schedule_work(&disk->work);
			return;
		}
	}
}

static void nvme_cmb_work(struct work_struct *work)
{
	nvme_cmb_serve(container_of(work, struct nvme_cmb_disk, work));
}

/*
 * Wait a little for the window if that is likely to be all it takes: for no
 * longer than this request's own copy, and not at all for a long one.
 *
 * There is no cpu_relax() in the loop, for it is what to avoid: PAUSE, too, is
 * trapped by an emulator, and takes the very lock that the copy needs.
 */
static void nvme_cmb_spin(struct nvme_cmb_disk *disk, struct request *req)
{
	u64 wait_ns = div_u64((u64)blk_rq_bytes(req) * disk->win->read_ps,
			      1000 * disk->win->read->width);
	u64 end_ns;

	if (wait_ns > NVME_CMB_SPIN_NS)
		return;
	end_ns = ktime_get_ns() + wait_ns;
	while (READ_ONCE(disk->busy) && ktime_get_ns() < end_ns)
		barrier();
}

static blk_status_t nvme_cmb_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *bd)
{
	struct nvme_cmb_disk *disk = hctx->queue->queuedata;
	bool busy;

	blk_mq_start_request(bd->rq);

	if (READ_ONCE(disk->busy))
		nvme_cmb_spin(disk, bd->rq);

	spin_lock(&disk->lock);
	list_add_tail(&bd->rq->queuelist, &disk->pending);
	busy = disk->busy;
	WRITE_ONCE(disk->busy, true);
	spin_unlock(&disk->lock);

	if (!busy)
		nvme_cmb_serve(disk);
	return BLK_STS_OK;
}

static const struct blk_mq_ops nvme_cmb_mq_ops = {
	.queue_rq	= nvme_cmb_queue_rq,
};

/* The last opener is gone, which may be long after nvme_cmb_disk_del(). */
static void nvme_cmb_free_disk(struct gendisk *gd)
{
	struct nvme_cmb_disk *disk = gd->private_data;

	ida_free(&nvme_cmb_ida, disk->index);
	kfree(disk);
}

static const struct block_device_operations nvme_cmb_fops = {
	.owner		= THIS_MODULE,
	.free_disk	= nvme_cmb_free_disk,
};

static const struct nvme_cmb_window *nvme_cmb_window_of(struct device *dev)
{
	struct nvme_cmb_disk *disk = dev_to_disk(dev)->private_data;

	return disk->win;
}

static ssize_t copy_read_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  nvme_cmb_window_of(dev)->read->name);
}
static DEVICE_ATTR_RO(copy_read);

static ssize_t copy_write_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  nvme_cmb_window_of(dev)->write->name);
}
static DEVICE_ATTR_RO(copy_write);

static ssize_t read_access_ps_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", nvme_cmb_window_of(dev)->read_ps);
}
static DEVICE_ATTR_RO(read_access_ps);

static ssize_t write_access_ps_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", nvme_cmb_window_of(dev)->write_ps);
}
static DEVICE_ATTR_RO(write_access_ps);

static struct attribute *nvme_cmb_attrs[] = {
	&dev_attr_copy_read.attr,
	&dev_attr_copy_write.attr,
	&dev_attr_read_access_ps.attr,
	&dev_attr_write_access_ps.attr,
	NULL
};

static const struct attribute_group nvme_cmb_group = {
	.name	= "cmb",
	.attrs	= nvme_cmb_attrs,
};

static const struct attribute_group *nvme_cmb_groups[] = {
	&nvme_cmb_group,
	NULL
};

/**
 * nvme_cmb_disk_add - register a disk
 * @win: its window, measured
 * @block_size: its logical block size
 *
 * The CPU does the copying, inside ->queue_rq, and a trapped access may cost
 * 15 us: 4 KiB alone would take 8 ms, and blk-mq dispatches whole batches. No
 * bound on the size of a request keeps that under 5 ms, so ->queue_rq has to be
 * allowed to sleep.
 *
 * Context: may sleep. The disk is live, and was read for partitions, when this
 * returns; it has its line in the log.
 * Return: the disk, or an ERR_PTR() of what the block layer returned.
 */
struct nvme_cmb_disk *nvme_cmb_disk_add(const struct nvme_cmb_window *win,
					unsigned int block_size)
{
	struct queue_limits lim = {
		.logical_block_size		= block_size,
		.physical_block_size		= block_size,
		.max_hw_sectors			= NVME_CMB_MAX_SECTORS,
		.max_segments			= USHRT_MAX,
		.max_write_zeroes_sectors	= NVME_CMB_MAX_SECTORS,
		.max_hw_discard_sectors		= NVME_CMB_MAX_SECTORS,
		.discard_granularity		= block_size,
	};
	struct device *dev = &win->ctrl->pdev->dev;
	struct nvme_cmb_disk *disk;
	struct gendisk *gd;
	int ret;

	disk = kzalloc_node(sizeof(*disk), GFP_KERNEL, dev_to_node(dev));
	if (!disk)
		return ERR_PTR(-ENOMEM);
	disk->win = win;
	spin_lock_init(&disk->lock);
	INIT_LIST_HEAD(&disk->pending);
	INIT_WORK(&disk->work, nvme_cmb_work);
	INIT_WORK(&disk->gone, nvme_cmb_gone);

	disk->index = ida_alloc(&nvme_cmb_ida, GFP_KERNEL);
	if (disk->index < 0) {
		ret = disk->index;
		goto out_free_disk;
	}

	disk->tag_set.ops = &nvme_cmb_mq_ops;
	disk->tag_set.flags = BLK_MQ_F_BLOCKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	disk->tag_set.nr_hw_queues = 1;
	disk->tag_set.queue_depth = NVME_CMB_QUEUE_DEPTH;
	disk->tag_set.numa_node = dev_to_node(dev);
	ret = blk_mq_alloc_tag_set(&disk->tag_set);
	if (ret)
		goto out_free_index;

	gd = blk_mq_alloc_disk(&disk->tag_set, &lim, disk);
	if (IS_ERR(gd)) {
		ret = PTR_ERR(gd);
		goto out_free_tag_set;
	}
	disk->gd = gd;
	gd->fops = &nvme_cmb_fops;
	gd->private_data = disk;
	snprintf(gd->disk_name, DISK_NAME_LEN, "nvme_cmb%d", disk->index);
	set_capacity(gd, win->geo.size >> SECTOR_SHIFT);

	nvme_cmb_account_add(&disk->account, gd, win);
	nvme_cmb_fault_add(&disk->fault, disk->account.dir);
	ret = device_add_disk(dev, gd, nvme_cmb_groups);
	if (ret)
		goto out_del_account;

	pci_info(win->ctrl->pdev,
		 "%s: %llu KiB in BAR %u at offset 0x%llx, read by %s (%u bytes in %u ns), written by %s (%u bytes in %u ns)\n",
		 gd->disk_name, win->geo.size / SZ_1K, win->geo.bir,
		 win->geo.offset,
		 win->read->name, win->read->width,
		 DIV_ROUND_CLOSEST(win->read_ps, 1000),
		 win->write->name, win->write->width,
		 DIV_ROUND_CLOSEST(win->write_ps, 1000));
	return disk;

out_del_account:
	nvme_cmb_account_del(&disk->account);
	/* ->free_disk() is called for disks that were added, and only those. */
	put_disk(gd);
out_free_tag_set:
	blk_mq_free_tag_set(&disk->tag_set);
out_free_index:
	ida_free(&nvme_cmb_ida, disk->index);
out_free_disk:
	kfree(disk);
	return ERR_PTR(ret);
}

/**
 * nvme_cmb_disk_del - undo nvme_cmb_disk_add()
 * @disk: the disk
 *
 * When this returns no request is being served and none will be, whoever still
 * has the disk open; so the window may go.
 *
 * Context: may sleep.
 */
void nvme_cmb_disk_del(struct nvme_cmb_disk *disk)
{
	/* There is no point in writing back to a device that is gone. */
	if (!nvme_cmb_ctrl_present(disk->win->ctrl))
		blk_mark_disk_dead(disk->gd);
	del_gendisk(disk->gd);
	/* All requests have ended, but not all that ended them has returned. */
	blk_mq_quiesce_queue(disk->gd->queue);
	cancel_work_sync(&disk->work);
	cancel_work_sync(&disk->gone);
	nvme_cmb_account_del(&disk->account);
	blk_mq_free_tag_set(&disk->tag_set);
	put_disk(disk->gd);
}

/**
 * nvme_cmb_disk_quiesce - let requests wait
 * @disk: the disk
 *
 * When this returns nobody is copying, and nobody will before
 * nvme_cmb_disk_unquiesce(). For the time in which others reset the device or take
 * its power; requests in flight end as they do.
 *
 * Context: may sleep.
 */
void nvme_cmb_disk_quiesce(struct nvme_cmb_disk *disk)
{
	blk_mq_quiesce_queue(disk->gd->queue);
	/* If someone is still serving what was left behind, it is the work. */
	while (READ_ONCE(disk->busy))
		flush_work(&disk->work);
}

/**
 * nvme_cmb_disk_unquiesce - undo nvme_cmb_disk_quiesce()
 * @disk: the disk
 *
 * Context: any.
 */
void nvme_cmb_disk_unquiesce(struct nvme_cmb_disk *disk)
{
	blk_mq_unquiesce_queue(disk->gd->queue);
}
