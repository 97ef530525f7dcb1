// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bios, for a PMR, served by the task that submits them. The copy of 4 KiB takes about a
 * microsecond. A request with its tag would take three more.
 */
#include <linux/part_stat.h>

#include "disk.h"

/* The block layer counts the flushes of requests, and has no call for those of bios. */
static blk_status_t nvme_cmb_bio_preflush(struct nvme_cmb_disk *disk)
{
	struct block_device *part = disk->gd->part0;
	u64 start_ns = ktime_get_ns();
	blk_status_t status = nvme_cmb_flush(disk);

	if (blk_queue_io_stat(disk->gd->queue)) {
		part_stat_lock();
		part_stat_inc(part, ios[STAT_FLUSH]);
		part_stat_add(part, nsecs[STAT_FLUSH],
			      ktime_get_ns() - start_ns);
		part_stat_unlock();
	}
	return status;
}

static blk_status_t nvme_cmb_bio_transfer(struct nvme_cmb_disk *disk,
					  struct bio *bio, u64 *accesses)
{
	u64 pos = (u64)bio->bi_iter.bi_sector << SECTOR_SHIFT;
	struct nvme_cmb_transfer transfer;
	blk_status_t status;

	nvme_cmb_transfer_init(&transfer, disk, bio_op(bio), bio, pos,
			       bio->bi_iter.bi_size);
	while (!(status = nvme_cmb_transfer_chunk(disk, &transfer)) &&
	       transfer.len)
		if (cond_resched())
			transfer.now_ns = ktime_get_ns();
	*accesses = transfer.accesses;
	return status;
}

static blk_status_t nvme_cmb_bio_serve(struct nvme_cmb_disk *disk,
				       struct bio *bio, u64 *accesses)
{
	blk_status_t status = BLK_STS_OK;

	if (nvme_cmb_should_fail(&disk->fault, bio->bi_iter.bi_size))
		return BLK_STS_IOERR;
	if (bio->bi_opf & REQ_PREFLUSH)
		status = nvme_cmb_bio_preflush(disk);
	if (status || !bio->bi_iter.bi_size)
		return status;
	/* The block layer only warns of a write that comes by way of another disk. */
	if (disk->win->read_only && op_is_write(bio_op(bio)))
		return BLK_STS_IOERR;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		status = nvme_cmb_bio_transfer(disk, bio, accesses);
		break;
	default:
		return BLK_STS_NOTSUPP;
	}

	if (!status && (bio->bi_opf & REQ_FUA))
		status = nvme_cmb_flush(disk);
	return status;
}

/**
 * nvme_cmb_submit_bio - for block_device_operations
 * @bio: what to do
 *
 * Context: may sleep, though it waits for nothing.
 */
void nvme_cmb_submit_bio(struct bio *bio)
{
	struct nvme_cmb_disk *disk = bio->bi_bdev->bd_disk->private_data;
	/* A bio that only flushes has no bytes to account for. */
	bool stat = bio->bi_iter.bi_size &&
		    blk_queue_io_stat(disk->gd->queue);
	u64 start_ns = nvme_cmb_account_begin();
	unsigned long start = 0;
	blk_status_t status;
	u64 accesses = 0;

	/* The block layer does not split bios for ->submit_bio: a discard may be of any size. */
	bio = bio_split_to_limits(bio);
	if (!bio)
		return;

	if (stat)
		start = bio_start_io_acct(bio);
	status = nvme_cmb_bio_serve(disk, bio, &accesses);
	/* If the bio was split, it may already hold the error of an earlier piece. */
	if (status)
		bio->bi_status = status;
	if (stat)
		bio_end_io_acct(bio, start);
	if (start_ns)
		nvme_cmb_account_end(disk, bio->bi_iter.bi_size ? bio_op(bio) :
				     REQ_OP_FLUSH, bio->bi_iter.bi_sector,
				     bio->bi_iter.bi_size, start_ns, accesses, false);
	bio_endio(bio);
}

/**
 * nvme_cmb_bio_alloc_disk - a gendisk that is served by bios
 * @disk: the disk; its window is set
 * @lim: its limits
 *
 * Context: may sleep.
 * Return: the gendisk, or an ERR_PTR() of what the block layer returned.
 */
struct gendisk *nvme_cmb_bio_alloc_disk(struct nvme_cmb_disk *disk,
					struct queue_limits *lim)
{
	lim->features |= BLK_FEAT_NOWAIT | BLK_FEAT_IO_STAT;
	return blk_alloc_disk(lim, dev_to_node(&disk->win->ctrl->pdev->dev));
}
