/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pairs of a submission queue and a completion queue (1.4, 4.1).
 */
#ifndef NVME_CMB_QUEUE_H
#define NVME_CMB_QUEUE_H

#include <linux/device.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct nvme_command;
struct nvme_completion;

/**
 * struct nvme_cmb_ring - where a pair of queues of one size stands
 * @size: entries in each queue. One of them stays empty, or a full queue would look like an
 *	empty one
 * @tail: entry of the submission queue that the host fills next
 * @sq_head: entry that the controller takes next, as far as it has told
 * @head: entry of the completion queue that the controller fills next
 * @phase: phase bit of an entry that is new
 */
struct nvme_cmb_ring {
	u16 size;
	u16 tail;
	u16 sq_head;
	u16 head;
	bool phase;
};

static inline void nvme_cmb_ring_init(struct nvme_cmb_ring *ring, u16 size)
{
	*ring = (struct nvme_cmb_ring) { .size = size, .phase = true };
}

static inline u16 nvme_cmb_ring_next(const struct nvme_cmb_ring *ring, u16 entry)
{
	return entry + 1 == ring->size ? 0 : entry + 1;
}

static inline bool nvme_cmb_ring_full(const struct nvme_cmb_ring *ring)
{
	return nvme_cmb_ring_next(ring, ring->tail) == ring->sq_head;
}

static inline void nvme_cmb_ring_submit(struct nvme_cmb_ring *ring)
{
	ring->tail = nvme_cmb_ring_next(ring, ring->tail);
}

static inline void nvme_cmb_ring_complete(struct nvme_cmb_ring *ring, u16 sq_head)
{
	ring->sq_head = sq_head;
	ring->head = nvme_cmb_ring_next(ring, ring->head);
	if (!ring->head)
		ring->phase = !ring->phase;
}

/**
 * struct nvme_cmb_cmd - a command that the controller has
 * @done: called once, when the controller has completed it or never will; in the context of
 *	nvme_cmb_queue_poll() or nvme_cmb_queue_cancel(), without a lock
 * @id: its command identifier
 * @status: status field of its completion, without the phase bit, or one of the two below
 * @result: dword 0 of its completion, and dword 1 above it
 * @node: in a list of those that are complete
 */
struct nvme_cmb_cmd {
	void (*done)(struct nvme_cmb_cmd *cmd);
	u16 id;
	u16 status;
	u64 result;
	struct list_head node;
};

/*
 * A controller cannot return these: its status field has 15 bits. CANCELLED: the controller does
 * nothing more about the command. LOST: nobody knows what it still does. The memory of the
 * command may still be read or written.
 */
#define NVME_CMB_CANCELLED	0xffff
#define NVME_CMB_LOST		0xfffe

/**
 * struct nvme_cmb_doorbell - tells the controller how far the host is in a queue
 * @reg: the register. A write to it is a trip to an emulator
 * @shadow: the same in memory; NULL if the controller does not look there
 * @event: the controller wants a write to @reg when @shadow passes this value
 */
struct nvme_cmb_doorbell {
	u32 __iomem *reg;
	__le32 *shadow;
	__le32 *event;
};

/**
 * nvme_cmb_doorbell_due - does the controller want a write to the register?
 * @event: the value that it has asked to be told of
 * @old: value of the shadow before
 * @new: value of the shadow now
 *
 * All three are counted up, and wrap where the queue ends.
 *
 * Return: true if the shadow has passed @event.
 */
static inline bool nvme_cmb_doorbell_due(u16 event, u16 old, u16 new)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

/**
 * struct nvme_cmb_queue - a pair of queues
 * @dev: for DMA
 * @id: the identifier of both, 0 for the admin queues
 * @lock: of all below
 * @live: commands are taken
 * @ring: where it stands
 * @sq: submission queue, with @ring.size entries
 * @cq: completion queue, likewise
 * @sq_dma: its address for the controller
 * @cq_dma: likewise
 * @sq_doorbell: for @ring.tail
 * @cq_doorbell: for @ring.head
 * @cmds: the commands that the controller has, by command identifier
 * @ids: which identifiers are in use
 * @next_id: the next one, if it is free. One that has become free is used last: an Abort that
 *	comes too late for its command must not hit another one
 * @completions: how many there were
 * @watched: @completions at the last call of nvme_cmb_queue_watch()
 */
struct nvme_cmb_queue {
	struct device *dev;
	u16 id;
	spinlock_t lock;	/* of what follows */
	bool live;
	struct nvme_cmb_ring ring;
	struct nvme_command *sq;
	struct nvme_completion *cq;
	dma_addr_t sq_dma;
	dma_addr_t cq_dma;
	struct nvme_cmb_doorbell sq_doorbell;
	struct nvme_cmb_doorbell cq_doorbell;
	struct nvme_cmb_cmd **cmds;
	unsigned long *ids;
	unsigned int next_id;
	unsigned int completions;
	unsigned int watched;
};

int nvme_cmb_queue_alloc(struct nvme_cmb_queue *queue, struct device *dev,
			 u16 id, u16 size, void __iomem *doorbells, u32 stride);
void nvme_cmb_queue_free(struct nvme_cmb_queue *queue);
void nvme_cmb_queue_reset(struct nvme_cmb_queue *queue);
void nvme_cmb_queue_set_shadow(struct nvme_cmb_queue *queue, void *shadows,
			       void *events, u32 stride);
void nvme_cmb_queue_start(struct nvme_cmb_queue *queue);
void nvme_cmb_queue_stop(struct nvme_cmb_queue *queue);
int nvme_cmb_queue_submit(struct nvme_cmb_queue *queue,
			  struct nvme_command *sqe, struct nvme_cmb_cmd *cmd);
bool nvme_cmb_queue_watch(struct nvme_cmb_queue *queue);
bool nvme_cmb_queue_has(struct nvme_cmb_queue *queue, const struct nvme_cmb_cmd *cmd);
bool nvme_cmb_queue_busy(struct nvme_cmb_queue *queue);
bool nvme_cmb_queue_poll(struct nvme_cmb_queue *queue);
void nvme_cmb_queue_cancel(struct nvme_cmb_queue *queue, u16 status);

#endif
