// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disk, from device_add_disk() to its last opener.
 */
#include <linux/module.h>
#include <linux/sizes.h>

#include "disk.h"

/* Longer requests are not faster, and a freeze of the queue has to wait for their end. */
#define NVME_CMB_MAX_SECTORS	(SZ_1M >> SECTOR_SHIFT)

/* The last opener is gone. That may be long after the disk was deleted. */
static void nvme_cmb_free_disk(struct gendisk *gd)
{
	struct nvme_cmb_disk *disk = gd->private_data;

	nvme_cmb_ctrl_put(disk->ctrl);
	kfree(disk);
}

static int nvme_cmb_disk_ioctl(struct block_device *bdev, blk_mode_t mode, unsigned int cmd,
			       unsigned long arg)
{
	struct nvme_cmb_disk *disk = bdev->bd_disk->private_data;

	return nvme_cmb_ioctl(disk->ctrl, cmd, (void __user *)arg, bdev_is_partition(bdev));
}

static const struct block_device_operations nvme_cmb_mq_fops = {
	.owner		= THIS_MODULE,
	.ioctl		= nvme_cmb_disk_ioctl,
	.compat_ioctl	= blkdev_compat_ptr_ioctl,
	.free_disk	= nvme_cmb_free_disk,
};

static const struct block_device_operations nvme_cmb_bio_fops = {
	.owner		= THIS_MODULE,
	.ioctl		= nvme_cmb_disk_ioctl,
	.compat_ioctl	= blkdev_compat_ptr_ioctl,
	.submit_bio	= nvme_cmb_submit_bio,
	.free_disk	= nvme_cmb_free_disk,
};

static void nvme_cmb_disk_dead_work(struct work_struct *work)
{
	struct nvme_cmb_disk *disk = container_of(work, struct nvme_cmb_disk,
						  dead_work.work);

	/* nvme_cmb_disk_mark_dead() schedules this work once more. */
	if (test_bit(NVME_CMB_DEAD, &disk->state))
		blk_mark_disk_dead(disk->gd);
	else if (!nvme_cmb_ctrl_present(disk->ctrl))
		nvme_cmb_disk_mark_gone(disk);
}

static struct nvme_cmb_disk *nvme_cmb_user_disk(struct nvme_cmb_user *user)
{
	return container_of(user, struct nvme_cmb_disk, user);
}

/*
 * Requests in flight end as they do. The task that releases the disk need not be the one
 * that holds it.
 */
static void nvme_cmb_disk_hold(struct nvme_cmb_user *user)
{
	struct nvme_cmb_disk *disk = nvme_cmb_user_disk(user);
	struct request_queue *q = disk->gd->queue;

	blk_freeze_queue_start_non_owner(q);
	/* If the controller does not complete its commands, the CPU serves their requests. */
	if (!disk->win->kind->memory && disk->mq.staging &&
	    !blk_mq_freeze_queue_wait_timeout(q, HZ) && nvme_cmb_ctrl_busy(disk->ctrl)) {
		nvme_cmb_ctrl_disable(disk->ctrl);
		queue_delayed_work(system_freezable_wq, &disk->ctrl->reset, 0);
	}
	blk_mq_freeze_queue_wait(q);
}

/* What happened meanwhile is unknown here: the first request compares all registers. */
static void nvme_cmb_disk_release(struct nvme_cmb_user *user)
{
	struct nvme_cmb_disk *disk = nvme_cmb_user_disk(user);

	WRITE_ONCE(disk->checked_ns, 0);
	blk_mq_unfreeze_queue_non_owner(disk->gd->queue);
}

static void nvme_cmb_disk_op_fail(struct nvme_cmb_user *user, const char *why,
				  bool for_good)
{
	struct nvme_cmb_disk *disk = nvme_cmb_user_disk(user);

	if (for_good)
		nvme_cmb_disk_mark_dead(disk, why);
	else
		nvme_cmb_disk_fail(disk, why);
}

/*
 * When this returns no request is served and none will be, even if someone has the disk
 * open. What was written is flushed.
 */
static void nvme_cmb_disk_del(struct nvme_cmb_user *user)
{
	struct nvme_cmb_disk *disk = nvme_cmb_user_disk(user);

	/* There is no point in writing back to a device that is gone. */
	if (test_bit(NVME_CMB_DEAD, &disk->state) ||
	    nvme_cmb_ctrl_is(disk->ctrl, NVME_CMB_CTRL_DEAD) ||
	    !nvme_cmb_ctrl_present(disk->ctrl))
		blk_mark_disk_dead(disk->gd);
	del_gendisk(disk->gd);
	/* There are no requests any more that could schedule it. It uses the gendisk. */
	cancel_delayed_work_sync(&disk->dead_work);
	nvme_cmb_window_flush(disk->win);
	nvme_cmb_account_del(disk);
	if (!disk->win->kind->memory) {
		nvme_cmb_mq_stop(disk);
		nvme_cmb_mq_free(disk);
	}
	put_disk(disk->gd);
}

static const struct nvme_cmb_user_ops nvme_cmb_disk_user_ops = {
	.hold		= nvme_cmb_disk_hold,
	.release	= nvme_cmb_disk_release,
	.fail		= nvme_cmb_disk_op_fail,
	.del		= nvme_cmb_disk_del,
};

static void nvme_cmb_disk_log(const struct nvme_cmb_disk *disk)
{
	const struct nvme_cmb_window *win = disk->win;
	char written[64] = "read-only";

	if (!win->read_only)
		snprintf(written, sizeof(written),
			 "written by %s (%u bytes in %u ns)",
			 win->write->name, win->write->width,
			 DIV_ROUND_CLOSEST(win->write_ps, 1000));
	pci_info(win->ctrl->pdev,
		 "%s: %llu KiB in BAR %u at offset 0x%llx, read by %s (%u bytes in %u ns), %s\n",
		 disk->gd->disk_name, win->geo.size / SZ_1K, win->geo.bir,
		 win->geo.offset, win->read->name, win->read->width,
		 DIV_ROUND_CLOSEST(win->read_ps, 1000), written);
}

static struct gendisk *nvme_cmb_disk_alloc(struct nvme_cmb_disk *disk,
					   unsigned int block_size)
{
	const struct nvme_cmb_window *win = disk->win;
	struct queue_limits lim = {
		.logical_block_size		= block_size,
		.physical_block_size		= block_size,
		.max_hw_sectors			= NVME_CMB_MAX_SECTORS,
		.max_segments			= USHRT_MAX,
		.max_write_zeroes_sectors	= NVME_CMB_MAX_SECTORS,
		.max_hw_discard_sectors		= NVME_CMB_MAX_SECTORS,
		.discard_granularity		= block_size,
	};
	bool memory = win->kind->memory;
	struct gendisk *gd;

	/*
	 * One command, and so one slot of scratch blocks, is enough for a request. The block
	 * layer wants a page to be one request, and then the CPU may have to copy it.
	 */
	if (!memory && win->ctrl->nr_io) {
		lim.max_hw_sectors = min_t(unsigned int, lim.max_hw_sectors,
					   max_t(unsigned int, win->ctrl->max_transfer,
						 PAGE_SIZE) >> SECTOR_SHIFT);
		lim.max_write_zeroes_sectors = lim.max_hw_sectors;
		lim.max_hw_discard_sectors = lim.max_hw_sectors;
	}
	if (win->write_cache)
		lim.features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	gd = memory ? nvme_cmb_bio_alloc_disk(disk, &lim) :
		      nvme_cmb_mq_alloc_disk(disk, &lim);
	if (IS_ERR(gd))
		return gd;
	gd->fops = memory ? &nvme_cmb_bio_fops : &nvme_cmb_mq_fops;
	gd->private_data = disk;
	snprintf(gd->disk_name, DISK_NAME_LEN, "nvme_%s%d", win->kind->name,
		 disk->ctrl->index);
	set_capacity(gd, win->geo.size >> SECTOR_SHIFT);
	set_disk_ro(gd, win->read_only);
	return gd;
}

/**
 * nvme_cmb_disk_add - register a disk
 * @win: its window, measured
 * @block_size: its logical block size
 *
 * The copy is most of the cost of a request to a CMB. So the disk of a CMB takes requests,
 * which can be serialised. The copy is next to nothing of the cost of a request to a PMR. So
 * the disk of a PMR takes bios, which are served at once.
 *
 * When this returns the disk is live, was read for partitions, and has its line in the log.
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 * Return: the disk as a user of the window, or an ERR_PTR().
 */
struct nvme_cmb_user *nvme_cmb_disk_add(const struct nvme_cmb_window *win,
					unsigned int block_size)
{
	bool memory = win->kind->memory;
	struct nvme_cmb_disk *disk;
	int ret;

	ret = nvme_cmb_ctrl_get_index(win->ctrl);
	if (ret < 0)
		return ERR_PTR(ret);
	disk = kzalloc_node(sizeof(*disk), GFP_KERNEL,
			    dev_to_node(&win->ctrl->pdev->dev));
	if (!disk)
		return ERR_PTR(-ENOMEM);
	disk->user.ops = &nvme_cmb_disk_user_ops;
	disk->ctrl = win->ctrl;
	disk->win = win;
	INIT_DELAYED_WORK(&disk->dead_work, nvme_cmb_disk_dead_work);

	disk->gd = nvme_cmb_disk_alloc(disk, block_size);
	if (IS_ERR(disk->gd)) {
		ret = PTR_ERR(disk->gd);
		goto out_free_disk;
	}
	/* If that fails the log says why, and the CPU does it all. */
	if (!memory && disk->ctrl->scratch_nsid)
		nvme_cmb_mq_set_staging(disk, disk->ctrl->scratch_nsid, false);
	nvme_cmb_account_add(disk);
	nvme_cmb_fault_add(&disk->fault, disk->account.dir, !memory);
	ret = device_add_disk(&disk->ctrl->control.dev, disk->gd,
			      memory ? nvme_cmb_pmr_groups : nvme_cmb_cmb_groups);
	if (ret)
		goto out_del_account;

	nvme_cmb_disk_log(disk);
	/* Put by nvme_cmb_free_disk(), which is called only for disks that were added. */
	nvme_cmb_ctrl_get(disk->ctrl);
	return &disk->user;

out_del_account:
	nvme_cmb_account_del(disk);
	put_disk(disk->gd);
	if (!memory)
		nvme_cmb_mq_free(disk);
out_free_disk:
	kfree(disk);
	return ERR_PTR(ret);
}
