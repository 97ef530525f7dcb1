/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests whose bytes the controller moves, by way of scratch blocks in a namespace.
 */
#ifndef NVME_CMB_STAGED_H
#define NVME_CMB_STAGED_H

#include <linux/blk-mq.h>
#include <linux/nvme.h>

#include "memory.h"

struct nvme_cmb_prps;

/**
 * enum nvme_cmb_staged_end - what came of a request
 * @NVME_CMB_STAGED_DONE: its bytes are where they were wanted
 * @NVME_CMB_STAGED_FAILED: an error
 * @NVME_CMB_STAGED_UNDONE: the controller has not done it: the CPU is to do it
 */
enum nvme_cmb_staged_end {
	NVME_CMB_STAGED_DONE,
	NVME_CMB_STAGED_FAILED,
	NVME_CMB_STAGED_UNDONE,
};

/**
 * typedef nvme_cmb_staged_end_fn - called when the controller is done with a request
 * @req: the request
 * @end: what came of it
 *
 * Context: any, also hard interrupt.
 */
typedef void nvme_cmb_staged_end_fn(struct request *req,
				    enum nvme_cmb_staged_end end);

/* How many segments a request may have, if all but the first and the last are whole pages */
#define NVME_CMB_STAGED_SEGMENTS(len)	((len) / SZ_4K + 1)

/**
 * struct nvme_cmb_slot - what a request needs while the controller moves its bytes
 * @cmd: its command of the moment
 * @staging: all slots
 * @queue: the queue that it was submitted to
 * @req: the request
 * @second: its second command, until that is submitted
 * @is_second: the second command was submitted
 * @timed_out: a command of it took too long
 * @sgl: its segments in host memory
 * @nents: how many there are
 * @list: memory for PRP entries, [0] for host memory, [1] for the CMB
 * @list_dma: their addresses for the controller
 * @slba: first of its scratch blocks
 */
struct nvme_cmb_slot {
	struct nvme_cmb_cmd cmd;
	struct nvme_cmb_staging *staging;
	struct nvme_cmb_queue *queue;
	struct request *req;
	struct nvme_command second;
	bool is_second;
	bool timed_out;
	struct scatterlist *sgl;
	int nents;
	__le64 *list[2];
	dma_addr_t list_dma[2];
	u64 slba;
};

/**
 * struct nvme_cmb_staging - the scratch namespace, and what is done with it
 * @node: in the list of all
 * @id: a random number, to know that list's members by
 * @win: the CMB
 * @ctrl: the controller
 * @nsid: the namespace
 * @block_shift: its logical block size, as a power of two
 * @bus: address of the window's first byte for the controller
 * @slot_len: bytes that a slot takes
 * @buf_len: bytes that the driver itself moves at once
 * @nr_slots: how many there are
 * @zero_slba: first of the scratch blocks that hold zeros, as many as in a slot
 * @can: whether commands may move data out of the CMB (CMBSZ.WDS), for reads of the disk, and
 *	into it (CMBSZ.RDS), for writes
 * @min_len: bytes from which on the controller is faster than the CPU: reads, writes
 * @resets: how often the controller was reset since a request was done
 * @end: told of each request
 * @pool: where lists of PRP entries come from
 * @slots: by tag
 */
struct nvme_cmb_staging {
	struct list_head node;
	u64 id;
	const struct nvme_cmb_window *win;
	struct nvme_cmb_ctrl *ctrl;
	u32 nsid;
	unsigned int block_shift;
	u64 bus;
	unsigned int slot_len;
	unsigned int buf_len;
	unsigned int nr_slots;
	u64 zero_slba;
	bool can[2];
	unsigned int min_len[2];
	unsigned int resets;
	nvme_cmb_staged_end_fn *end;
	struct dma_pool *pool;
	struct nvme_cmb_slot *slots;
};

static inline struct device *
nvme_cmb_staging_dev(const struct nvme_cmb_staging *staging)
{
	return &staging->ctrl->pdev->dev;
}

void nvme_cmb_staged_done(struct nvme_cmb_cmd *cmd);
void nvme_cmb_staged_timed_out(struct nvme_cmb_staging *staging,
			       struct request *req);
bool nvme_cmb_staged_poll(struct nvme_cmb_ctrl *ctrl, unsigned int hctx);
bool nvme_cmb_staged_submit(struct nvme_cmb_staging *staging,
			    struct request *req);
void nvme_cmb_staging_set_rw(const struct nvme_cmb_staging *staging,
			     struct nvme_command *sqe, u8 opcode, u64 slba, size_t len,
			     const struct nvme_cmb_prps *prps);

int nvme_cmb_staging_rw(struct nvme_cmb_staging *staging, u8 opcode, u64 slba,
			u64 addr, size_t len);
int nvme_cmb_staging_test(struct nvme_cmb_staging *staging, char *buf,
			  dma_addr_t dma);
int nvme_cmb_staging_choose(struct nvme_cmb_staging *staging, dma_addr_t dma);

struct nvme_cmb_staging *nvme_cmb_staging_alloc(const struct nvme_cmb_window *win,
						u32 nsid, unsigned int slots,
						unsigned int slot_len,
						unsigned int block_size, bool force,
						nvme_cmb_staged_end_fn *end);
void nvme_cmb_staging_free(struct nvme_cmb_staging *staging);

#endif
