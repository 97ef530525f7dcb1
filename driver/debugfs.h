/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What requests cost, and what tests want to go wrong with them.
 */
#ifndef NVME_CMB_DEBUGFS_H
#define NVME_CMB_DEBUGFS_H

#include <linux/atomic.h>
#include <linux/blk-mq.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
#include <linux/fault-inject.h>
#endif

struct nvme_cmb_disk;

enum nvme_cmb_op {
	NVME_CMB_READ,
	NVME_CMB_WRITE,
	NVME_CMB_ZERO,
	NVME_CMB_FLUSH,
	NVME_CMB_OPS
};

#define NVME_CMB_LATENCIES	36	/* the last is 34 s and more */

/**
 * struct nvme_cmb_account - what the requests of a disk cost
 * @mutex: serialises switching it on and off
 * @dir: its directory in debugfs
 * @lock: serialises those who write the next two
 * @on: whether @stats are kept
 * @stats: by operation; read without a lock
 */
struct nvme_cmb_account {
	struct mutex mutex;	/* one switch at a time */
	struct dentry *dir;
	spinlock_t lock;	/* of what follows */
	bool on;
	struct {
		u64 requests;
		u64 bytes;
		u64 accesses;
		u64 latency[NVME_CMB_LATENCIES];
	} stats[NVME_CMB_OPS];
};

extern atomic_t nvme_cmb_accounting;

void nvme_cmb_account_init(void);
void nvme_cmb_account_exit(void);
void nvme_cmb_account_add(struct nvme_cmb_disk *disk);
void nvme_cmb_account_del(struct nvme_cmb_disk *disk);
void nvme_cmb_account_end(struct nvme_cmb_disk *disk, enum req_op op,
			  sector_t sector, size_t len, u64 start_ns,
			  u64 accesses, bool staged);

/**
 * nvme_cmb_account_begin - a request begins to be served
 *
 * Return: the time, or 0 if nobody wants to know.
 */
static inline u64 nvme_cmb_account_begin(void)
{
	if (atomic_read(&nvme_cmb_accounting))
		return ktime_get_ns();
	return 0;
}

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
/**
 * struct nvme_cmb_fault - what is to go wrong with the requests of a disk
 * @fail: they end with an error
 * @delay: they take @delay_ms longer
 * @requeue: they go back to the block layer, which sends them again
 * @delay_ms: in milliseconds
 */
struct nvme_cmb_fault {
	struct fault_attr fail;
	struct fault_attr delay;
	struct fault_attr requeue;
	u32 delay_ms;
};

void nvme_cmb_fault_add(struct nvme_cmb_fault *fault, struct dentry *dir,
			bool requests);
bool nvme_cmb_should_fail(struct nvme_cmb_fault *fault, size_t len);
bool nvme_cmb_should_requeue(struct nvme_cmb_fault *fault, struct request *req);
#else
struct nvme_cmb_fault {};

static inline void nvme_cmb_fault_add(struct nvme_cmb_fault *fault,
				      struct dentry *dir, bool requests)
{
}

static inline bool nvme_cmb_should_fail(struct nvme_cmb_fault *fault,
					size_t len)
{
	return false;
}

static inline bool nvme_cmb_should_requeue(struct nvme_cmb_fault *fault,
					   struct request *req)
{
	return false;
}
#endif

#endif
