/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver is written for the newest kernel. Older ones are adapted to here and nowhere
 * else, the newest change first, back to Debian's 6.1. Each entry names the release that
 * changed the interface. "make lint" builds for each kernel that Debian has.
 */
#ifndef NVME_CMB_COMPAT_H
#define NVME_CMB_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/version.h>

#ifndef NVME_CMB_HAVE_DRIVER_OVERRIDE
#include <linux/pci.h>

/* Each bus had its own. Kbuild looks which it is. */
static inline bool device_has_driver_override(struct device *dev)
{
	return to_pci_dev(dev)->driver_override;
}
#elif defined(__CHECKER__)
/* Sparse does not see the unlock: guard() leaves it to the compiler. */
#define device_has_driver_override(dev)	(!!(dev)->driver_override.name)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
/* It had the queue as its first parameter. */
#define blk_rq_map_sg(rq, sgl)	blk_rq_map_sg((rq)->q, rq, sgl)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#include <linux/blk-mq-pci.h>

/* It was for PCI functions only. */
#define blk_mq_map_hw_queues(map, dev, offset) \
	blk_mq_pci_map_queues(map, to_pci_dev(dev), offset)

/* Merging became the default, and its flag went away. */
static inline int nvme_cmb_compat_alloc_tag_set(struct blk_mq_tag_set *set)
{
	set->flags |= BLK_MQ_F_SHOULD_MERGE;
	return blk_mq_alloc_tag_set(set);
}

#define blk_mq_alloc_tag_set nvme_cmb_compat_alloc_tag_set
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0) && !defined(NVME_CMB_HAVE_NON_OWNER)
/*
 * Lockdep did not know freezing as a lock, which has an owner. Debian's 6.12 has the change
 * from some release on, so that Kbuild looks for it.
 */
#define blk_freeze_queue_start_non_owner	blk_freeze_queue_start
#define blk_mq_unfreeze_queue_non_owner		blk_mq_unfreeze_queue
#endif

/* It moved out of asm/. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
/*
 * Features were flags of the queue, and no limits. A disk was rotational without the flag
 * NONROT, and one that takes bios refused REQ_NOWAIT without the flag NOWAIT.
 */
#define BLK_FEAT_WRITE_CACHE	BIT(0)
#define BLK_FEAT_FUA		BIT(1)
#define BLK_FEAT_IO_STAT	BIT(4)
#define BLK_FEAT_NOWAIT		BIT(7)

struct nvme_cmb_compat_limits {
	unsigned int logical_block_size;
	unsigned int physical_block_size;
	unsigned int max_hw_sectors;
	unsigned short max_segments;
	unsigned int max_write_zeroes_sectors;
	unsigned int max_hw_discard_sectors;
	unsigned int discard_granularity;
	unsigned int features;
};

static inline void
nvme_cmb_compat_set_features(struct gendisk *gd, unsigned int features)
{
	struct request_queue *q = gd->queue;

	blk_queue_write_cache(q, features & BLK_FEAT_WRITE_CACHE,
			      features & BLK_FEAT_FUA);
	if (features & BLK_FEAT_IO_STAT)
		blk_queue_flag_set(QUEUE_FLAG_IO_STAT, q);
	if (features & BLK_FEAT_NOWAIT)
		blk_queue_flag_set(QUEUE_FLAG_NOWAIT, q);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
/* The limits came by one call each, when there was a disk. */
static inline struct gendisk *
nvme_cmb_compat_set_limits(struct gendisk *gd,
			   const struct nvme_cmb_compat_limits *lim)
{
	struct request_queue *q;

	if (IS_ERR_OR_NULL(gd))
		return gd ?: ERR_PTR(-ENOMEM);
	q = gd->queue;
	blk_queue_logical_block_size(q, lim->logical_block_size);
	blk_queue_physical_block_size(q, lim->physical_block_size);
	blk_queue_max_hw_sectors(q, lim->max_hw_sectors);
	blk_queue_max_segments(q, lim->max_segments);
	blk_queue_max_write_zeroes_sectors(q, lim->max_write_zeroes_sectors);
	blk_queue_max_discard_sectors(q, lim->max_hw_discard_sectors);
	q->limits.discard_granularity = lim->discard_granularity;
	nvme_cmb_compat_set_features(gd, lim->features);
	return gd;
}

static inline struct gendisk *
nvme_cmb_compat_mq_alloc_disk(struct blk_mq_tag_set *set,
			      const struct nvme_cmb_compat_limits *lim,
			      void *queuedata)
{
	return nvme_cmb_compat_set_limits(blk_mq_alloc_disk(set, queuedata),
					  lim);
}

static inline struct gendisk *
nvme_cmb_compat_alloc_disk(const struct nvme_cmb_compat_limits *lim, int node)
{
	return nvme_cmb_compat_set_limits(blk_alloc_disk(node), lim);
}
#else
/* 6.9 and 6.10: limits came with the allocation, features after it. */
static inline struct queue_limits
nvme_cmb_compat_queue_limits(const struct nvme_cmb_compat_limits *lim)
{
	return (struct queue_limits) {
		.logical_block_size		= lim->logical_block_size,
		.physical_block_size		= lim->physical_block_size,
		.max_hw_sectors			= lim->max_hw_sectors,
		.max_segments			= lim->max_segments,
		.max_write_zeroes_sectors	= lim->max_write_zeroes_sectors,
		.max_hw_discard_sectors		= lim->max_hw_discard_sectors,
		.discard_granularity		= lim->discard_granularity,
	};
}

static inline struct gendisk *
nvme_cmb_compat_mq_alloc_disk(struct blk_mq_tag_set *set,
			      const struct nvme_cmb_compat_limits *lim,
			      void *queuedata)
{
	struct queue_limits limits = nvme_cmb_compat_queue_limits(lim);
	struct gendisk *gd = blk_mq_alloc_disk(set, &limits, queuedata);

	if (!IS_ERR(gd))
		nvme_cmb_compat_set_features(gd, lim->features);
	return gd;
}

static inline struct gendisk *
nvme_cmb_compat_alloc_disk(const struct nvme_cmb_compat_limits *lim, int node)
{
	struct queue_limits limits = nvme_cmb_compat_queue_limits(lim);
	struct gendisk *gd = blk_alloc_disk(&limits, node);

	if (!IS_ERR(gd))
		nvme_cmb_compat_set_features(gd, lim->features);
	return gd;
}
#endif

#define queue_limits nvme_cmb_compat_limits
#undef blk_mq_alloc_disk
#define blk_mq_alloc_disk nvme_cmb_compat_mq_alloc_disk
#undef blk_alloc_disk
#define blk_alloc_disk nvme_cmb_compat_alloc_disk
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* A block device was opened with the flags of files. */
#define blk_mode_t	fmode_t
#endif

#if defined(KUNIT_ARRAY_PARAM) && !defined(KUNIT_ARRAY_PARAM_DESC)
/* Up to 6.7 KUnit wanted a function for the descriptions in an array. */
#define KUNIT_ARRAY_PARAM_DESC(name, array, desc_member)		\
static void name##_get_desc(typeof(&(array)[0]) param, char *desc)	\
{									\
	strscpy(desc, param->desc_member, KUNIT_PARAM_DESC_SIZE);	\
}									\
KUNIT_ARRAY_PARAM(name, array, name##_get_desc)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
/* It had its old name. */
#define timer_delete_sync del_timer_sync

/* A dead disk kept its size, and its page cache took writes. */
static inline void nvme_cmb_compat_mark_disk_dead(struct gendisk *gd)
{
	blk_mark_disk_dead(gd);
	set_capacity_and_notify(gd, 0);
}

#define blk_mark_disk_dead nvme_cmb_compat_mark_disk_dead
#endif

#endif
