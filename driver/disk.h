/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk over a memory, and its requests.
 */
#ifndef NVME_CMB_DISK_H
#define NVME_CMB_DISK_H

#include "debugfs.h"
#include "memory.h"

/*
 * FAILED: requests fail until the window is found intact again, which each of them
 * tries. GONE: they fail for good, for the device has left, or has lost what was in it.
 */
enum { NVME_CMB_FAILED, NVME_CMB_DEAD };

/* How long to wait for a device, while whoever else waits may be a task that nobody can kill */
#define NVME_CMB_RECOVERY_SECONDS	30

/**
 * struct nvme_cmb_disk - one gendisk over one window
 * @win: the window; valid until nvme_cmb_disk_del() returns
 * @gd: its gendisk; an opener may keep it, and this struct, past the window
 * @index: the number in its name
 * @index_owner: the controller's other disk, if that one's number is shared
 * @state: NVME_CMB_FAILED and NVME_CMB_DEAD, as bits
 * @checked_ns: when the controller was last seen alive, by ktime_get_ns()
 * @dead_work: tells the block layer that the disk is dead, if by then the device is gone
 * @mq: for mq.c: how requests get to the window
 * @mq.tag_set: their tags
 * @mq.lock: protects the next two
 * @mq.pending: requests that wait for the window
 * @mq.busy: someone is serving, and will look at @mq.pending again
 * @mq.wq: for @mq.work, which a busy CPU must not keep waiting
 * @mq.work: serves on when a task has to let others run
 * @account: what it all cost
 * @fault: what tests want to go wrong
 */
struct nvme_cmb_disk {
	const struct nvme_cmb_window *win;
	struct gendisk *gd;
	int index;
	struct nvme_cmb_disk *index_owner;

	unsigned long state;
	u64 checked_ns;
	struct delayed_work dead_work;

	struct {
		struct blk_mq_tag_set tag_set;
		spinlock_t lock;	/* of the next two */
		struct list_head pending;
		bool busy;
		struct workqueue_struct *wq;
		struct work_struct work;
	} mq;

	struct nvme_cmb_account account;
	struct nvme_cmb_fault fault;
};

void nvme_cmb_disk_fail(struct nvme_cmb_disk *disk, const char *why);
void nvme_cmb_disk_mark_dead(struct nvme_cmb_disk *disk, const char *why);

/**
 * struct nvme_cmb_transfer - the bytes of a request, on their way
 * @op: REQ_OP_READ, REQ_OP_WRITE, or one that leaves zeros
 * @iter: where in the request's pages
 * @pos: where in the window
 * @len: bytes left to move
 * @chunk: bytes to move next
 * @tries: how often that was copied in vain
 * @now_ns: the time, a little before, by ktime_get_ns()
 * @accesses: accesses to the window so far
 */
struct nvme_cmb_transfer {
	enum req_op op;
	struct req_iterator iter;
	u64 pos;
	size_t len;
	size_t chunk;
	unsigned int tries;
	u64 now_ns;
	u64 accesses;
};

void nvme_cmb_transfer_init(struct nvme_cmb_transfer *transfer,
			    const struct nvme_cmb_disk *disk, enum req_op op,
			    struct bio *bio, u64 pos, size_t len);
blk_status_t nvme_cmb_transfer_chunk(struct nvme_cmb_disk *disk,
				     struct nvme_cmb_transfer *transfer);
blk_status_t nvme_cmb_flush(struct nvme_cmb_disk *disk);

struct gendisk *nvme_cmb_mq_alloc_disk(struct nvme_cmb_disk *disk,
				       struct queue_limits *lim);
void nvme_cmb_mq_stop(struct nvme_cmb_disk *disk);
void nvme_cmb_mq_free(struct nvme_cmb_disk *disk);

struct gendisk *nvme_cmb_bio_alloc_disk(struct nvme_cmb_disk *disk,
					struct queue_limits *lim);
void nvme_cmb_submit_bio(struct bio *bio);

struct nvme_cmb_disk *nvme_cmb_disk_add(const struct nvme_cmb_window *win,
					struct nvme_cmb_disk *index_owner,
					unsigned int block_size);
void nvme_cmb_disk_del(struct nvme_cmb_disk *disk);
void nvme_cmb_disk_hold(struct nvme_cmb_disk *disk);
void nvme_cmb_disk_release(struct nvme_cmb_disk *disk);

#endif
