/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk over a memory, and its requests.
 */
#ifndef NVME_CMB_DISK_H
#define NVME_CMB_DISK_H

#include "debugfs.h"
#include "memory.h"
#include "staged.h"

/*
 * FAILED: requests fail until one of them finds the window usable again.
 * DEAD: they fail for good. The controller is dead, or the memory has lost what it held.
 */
enum { NVME_CMB_FAILED, NVME_CMB_DEAD };

/* How long to wait for a device. Tasks that cannot be killed may wait with the driver. */
#define NVME_CMB_RECOVERY_SECONDS	30

/**
 * struct nvme_cmb_disk - one gendisk over one window
 * @user: it is a user of the window
 * @ctrl: the controller; the disk has a reference
 * @win: the window; valid until the disk is deleted
 * @gd: its gendisk; as long as someone has it open it is there, and so is this struct
 * @state: NVME_CMB_FAILED and NVME_CMB_DEAD, as bits
 * @checked_ns: when the controller last answered a check, by ktime_get_ns()
 * @dead_work: tells the block layer that the disk is dead, if the device is gone by then
 * @mq: for mq.c and serve.c
 * @mq.tag_set: the tags of its requests
 * @mq.lock: protects the next two
 * @mq.pending: requests to serve
 * @mq.busy: a task serves, and will check @mq.pending again
 * @mq.wq: for @mq.work, which must not wait for a busy CPU
 * @mq.work: goes on serving when a task has to let others run
 * @mq.staging: the scratch namespace, or NULL; changed while nobody has the disk open
 * @account: what requests cost
 * @fault: what tests want to go wrong
 */
struct nvme_cmb_disk {
	struct nvme_cmb_user user;
	struct nvme_cmb_ctrl *ctrl;
	const struct nvme_cmb_window *win;
	struct gendisk *gd;

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
		struct nvme_cmb_staging *staging;
	} mq;

	struct nvme_cmb_account account;
	struct nvme_cmb_fault fault;
};

void nvme_cmb_disk_fail(struct nvme_cmb_disk *disk, const char *why);
void nvme_cmb_disk_mark_dead(struct nvme_cmb_disk *disk, const char *why);
void nvme_cmb_disk_mark_gone(struct nvme_cmb_disk *disk);

/**
 * struct nvme_cmb_transfer - the bytes of a request, and how many are copied
 * @op: REQ_OP_READ, REQ_OP_WRITE, or one that leaves zeros
 * @iter: where in the request's pages
 * @pos: where in the window
 * @len: bytes left to copy
 * @chunk: bytes to copy next
 * @tries: how often they were copied in vain
 * @now_ns: a time shortly before the copy, by ktime_get_ns()
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
int nvme_cmb_mq_set_staging(struct nvme_cmb_disk *disk, u32 nsid, bool force);
void nvme_cmb_mq_stop(struct nvme_cmb_disk *disk);
void nvme_cmb_mq_free(struct nvme_cmb_disk *disk);

struct gendisk *nvme_cmb_bio_alloc_disk(struct nvme_cmb_disk *disk,
					struct queue_limits *lim);
void nvme_cmb_submit_bio(struct bio *bio);

struct nvme_cmb_user *nvme_cmb_disk_add(const struct nvme_cmb_window *win,
					unsigned int block_size);

extern const struct attribute_group *nvme_cmb_cmb_groups[];
extern const struct attribute_group *nvme_cmb_pmr_groups[];

#endif
