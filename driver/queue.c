// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pairs of a submission queue and a completion queue (1.4, 4.1), in coherent memory.
 *
 * The host writes a command to the submission queue, and its new tail to a doorbell. The
 * controller writes what came of the command to the completion queue. An entry there is new
 * if its phase bit is the opposite of what it was: that bit turns with each round.
 */
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/nvme.h>
#include <linux/slab.h>

#include "queue.h"

/**
 * nvme_cmb_queue_alloc - memory for a pair of queues
 * @queue: filled in; all zeros before
 * @dev: the PCI function
 * @id: the identifier of both queues
 * @size: entries in each, 2 at least
 * @doorbells: the controller's first doorbell
 * @stride: bytes from one doorbell to the next (CAP.DSTRD)
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int nvme_cmb_queue_alloc(struct nvme_cmb_queue *queue, struct device *dev,
			 u16 id, u16 size, void __iomem *doorbells, u32 stride)
{
	queue->dev = dev;
	queue->id = id;
	spin_lock_init(&queue->lock);
	nvme_cmb_ring_init(&queue->ring, size);
	queue->sq_doorbell.reg = doorbells + 2 * id * stride;
	queue->cq_doorbell.reg = doorbells + (2 * id + 1) * stride;

	queue->cmds = kcalloc(size, sizeof(*queue->cmds), GFP_KERNEL);
	if (!queue->cmds)
		return -ENOMEM;
	queue->ids = bitmap_zalloc(size, GFP_KERNEL);
	if (!queue->ids)
		goto out_free_cmds;
	queue->sq = dma_alloc_coherent(dev, size * sizeof(*queue->sq),
				       &queue->sq_dma, GFP_KERNEL);
	if (!queue->sq)
		goto out_free_ids;
	queue->cq = dma_alloc_coherent(dev, size * sizeof(*queue->cq),
				       &queue->cq_dma, GFP_KERNEL);
	if (!queue->cq)
		goto out_free_sq;
	return 0;

out_free_sq:
	dma_free_coherent(dev, size * sizeof(*queue->sq), queue->sq, queue->sq_dma);
out_free_ids:
	bitmap_free(queue->ids);
out_free_cmds:
	kfree(queue->cmds);
	return -ENOMEM;
}

/**
 * nvme_cmb_queue_free - undo nvme_cmb_queue_alloc()
 * @queue: the queues, of which the controller does not know any more
 *
 * Context: may sleep.
 */
void nvme_cmb_queue_free(struct nvme_cmb_queue *queue)
{
	u16 size = queue->ring.size;

	dma_free_coherent(queue->dev, size * sizeof(*queue->cq), queue->cq,
			  queue->cq_dma);
	dma_free_coherent(queue->dev, size * sizeof(*queue->sq), queue->sq,
			  queue->sq_dma);
	bitmap_free(queue->ids);
	kfree(queue->cmds);
}

static void nvme_cmb_doorbell_set_shadow(struct nvme_cmb_doorbell *doorbell,
					 void *shadow, void *event)
{
	doorbell->shadow = shadow;
	doorbell->event = event;
}

/* The CPU has written an entry, or has read one. Now the controller may do the same. */
static void nvme_cmb_doorbell_ring(const struct nvme_cmb_doorbell *doorbell, u16 value)
{
	u16 old;

	if (doorbell->shadow) {
		old = le32_to_cpu(*doorbell->shadow);
		/* The entry comes before the shadow. */
		dma_wmb();
		WRITE_ONCE(*doorbell->shadow, cpu_to_le32(value));
		/* The controller sets the event, and then reads the shadow again. */
		mb();
		if (!nvme_cmb_doorbell_due(le32_to_cpu(READ_ONCE(*doorbell->event)), old, value))
			return;
	}
	/* The write orders the entry before it. */
	writel(value, doorbell->reg);
}

/**
 * nvme_cmb_queue_set_shadow - give both queues doorbells in memory
 * @queue: the queues, new to the controller, which looks for doorbells there
 * @shadows: shadows of all doorbells, in the order of the registers
 * @events: their events, likewise
 * @stride: bytes from one to the next
 *
 * Context: any.
 */
void nvme_cmb_queue_set_shadow(struct nvme_cmb_queue *queue, void *shadows,
			       void *events, u32 stride)
{
	u32 sq = 2 * queue->id * stride, cq = sq + stride;

	nvme_cmb_doorbell_set_shadow(&queue->sq_doorbell, shadows + sq, events + sq);
	nvme_cmb_doorbell_set_shadow(&queue->cq_doorbell, shadows + cq, events + cq);
}

/**
 * nvme_cmb_queue_reset - let both queues begin at their first entry
 * @queue: the queues, empty, which are new to the controller
 *
 * Context: any.
 */
void nvme_cmb_queue_reset(struct nvme_cmb_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	nvme_cmb_ring_init(&queue->ring, queue->ring.size);
	nvme_cmb_doorbell_set_shadow(&queue->sq_doorbell, NULL, NULL);
	nvme_cmb_doorbell_set_shadow(&queue->cq_doorbell, NULL, NULL);
	memset(queue->sq, 0, queue->ring.size * sizeof(*queue->sq));
	/* What the last round left there must not look new. */
	memset(queue->cq, 0, queue->ring.size * sizeof(*queue->cq));
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * nvme_cmb_queue_start - take commands
 * @queue: the queues, which the controller knows
 *
 * Context: any.
 */
void nvme_cmb_queue_start(struct nvme_cmb_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->live = true;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * nvme_cmb_queue_stop - take no more commands
 * @queue: the queues
 *
 * Context: any.
 */
void nvme_cmb_queue_stop(struct nvme_cmb_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->live = false;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * nvme_cmb_queue_submit - give the controller a command
 * @queue: the queues
 * @sqe: the command; its identifier is set here
 * @cmd: stays there until @cmd->done() is called
 *
 * Context: any.
 * Return: 0, -EBUSY if the queue is full, or -ESHUTDOWN if it takes no commands. After an
 * error @cmd->done() is not called.
 */
int nvme_cmb_queue_submit(struct nvme_cmb_queue *queue,
			  struct nvme_command *sqe, struct nvme_cmb_cmd *cmd)
{
	struct nvme_cmb_ring *ring = &queue->ring;
	/* One entry stays empty, whatever the controller says about its head. */
	unsigned int max = ring->size - 1;
	unsigned long flags;
	unsigned int id;
	int ret = 0;

	spin_lock_irqsave(&queue->lock, flags);
	id = find_next_zero_bit(queue->ids, max, queue->next_id);
	if (id == max)
		id = find_first_zero_bit(queue->ids, max);
	if (!queue->live) {
		ret = -ESHUTDOWN;
	} else if (id == max || nvme_cmb_ring_full(ring)) {
		ret = -EBUSY;
	} else {
		__set_bit(id, queue->ids);
		queue->cmds[id] = cmd;
		queue->next_id = id + 1;
		cmd->id = id;
		sqe->common.command_id = id;
		queue->sq[ring->tail] = *sqe;
		nvme_cmb_ring_submit(ring);
		nvme_cmb_doorbell_ring(&queue->sq_doorbell, ring->tail);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return ret;
}

/* Return: the command of an identifier, which is free then; NULL if there is none. */
static struct nvme_cmb_cmd *nvme_cmb_queue_take(struct nvme_cmb_queue *queue,
						unsigned int id)
{
	struct nvme_cmb_cmd *cmd;

	if (id >= queue->ring.size || !__test_and_clear_bit(id, queue->ids))
		return NULL;
	cmd = queue->cmds[id];
	queue->cmds[id] = NULL;
	return cmd;
}

static bool nvme_cmb_queue_take_next(struct nvme_cmb_queue *queue,
				     struct list_head *done)
{
	struct nvme_cmb_ring *ring = &queue->ring;
	struct nvme_completion *cqe = &queue->cq[ring->head];
	u16 status = le16_to_cpu(READ_ONCE(cqe->status));
	struct nvme_cmb_cmd *cmd;

	if ((status & 1) != ring->phase)
		return false;
	/* The rest of the entry is read after its phase bit. */
	dma_rmb();
	cmd = nvme_cmb_queue_take(queue, READ_ONCE(cqe->command_id));
	if (cmd) {
		cmd->status = status >> 1;
		cmd->result = le64_to_cpu(cqe->result.u64);
		list_add_tail(&cmd->node, done);
	} else {
		dev_err_ratelimited(queue->dev, "queue %u: completion of no command, identifier 0x%04x\n",
				    queue->id, cqe->command_id);
	}
	nvme_cmb_ring_complete(ring, le16_to_cpu(cqe->sq_head));
	queue->completions++;
	return true;
}

static void nvme_cmb_queue_end_cmds(struct list_head *done)
{
	struct nvme_cmb_cmd *cmd, *next;

	list_for_each_entry_safe(cmd, next, done, node)
		cmd->done(cmd);
}

/**
 * nvme_cmb_queue_poll - end the commands that the controller has completed
 * @queue: the queues
 *
 * Context: any.
 * Return: true if there were any.
 */
bool nvme_cmb_queue_poll(struct nvme_cmb_queue *queue)
{
	unsigned long flags;
	bool found = false;
	LIST_HEAD(done);

	spin_lock_irqsave(&queue->lock, flags);
	while (nvme_cmb_queue_take_next(queue, &done))
		found = true;
	if (found)
		nvme_cmb_doorbell_ring(&queue->cq_doorbell, queue->ring.head);
	spin_unlock_irqrestore(&queue->lock, flags);
	nvme_cmb_queue_end_cmds(&done);
	return found;
}

/**
 * nvme_cmb_queue_watch - look after commands that the controller has for long
 * @queue: the queues; call this once a second while they are busy
 *
 * An interrupt that was lost, or that the queues do not have, is made up for. If there was no
 * completion since the last call, the doorbell of the submission queue is written again: memory
 * decoding may have been off for a moment, and it was lost. If that of the completion queue was,
 * the next completion makes up for it.
 *
 * Context: any.
 * Return: true if the controller has commands.
 */
bool nvme_cmb_queue_watch(struct nvme_cmb_queue *queue)
{
	struct nvme_cmb_ring *ring = &queue->ring;
	unsigned long flags;
	bool busy;

	nvme_cmb_queue_poll(queue);
	spin_lock_irqsave(&queue->lock, flags);
	busy = queue->live && !bitmap_empty(queue->ids, ring->size);
	if (busy && queue->watched == queue->completions)
		writel(ring->tail, queue->sq_doorbell.reg);
	queue->watched = queue->completions;
	spin_unlock_irqrestore(&queue->lock, flags);
	return busy;
}

/**
 * nvme_cmb_queue_has - does the controller have a command?
 * @queue: the queues that it was submitted to
 * @cmd: the command
 *
 * Context: any.
 * Return: true if it has it at this moment.
 */
bool nvme_cmb_queue_has(struct nvme_cmb_queue *queue, const struct nvme_cmb_cmd *cmd)
{
	unsigned long flags;
	bool has;

	spin_lock_irqsave(&queue->lock, flags);
	has = queue->cmds[cmd->id] == cmd;
	spin_unlock_irqrestore(&queue->lock, flags);
	return has;
}

/**
 * nvme_cmb_queue_busy - does the controller have commands?
 * @queue: the queues
 *
 * Context: any.
 * Return: true if it has some at this moment.
 */
bool nvme_cmb_queue_busy(struct nvme_cmb_queue *queue)
{
	unsigned long flags;
	bool busy;

	spin_lock_irqsave(&queue->lock, flags);
	busy = !bitmap_empty(queue->ids, queue->ring.size);
	spin_unlock_irqrestore(&queue->lock, flags);
	return busy;
}

/**
 * nvme_cmb_queue_cancel - end all commands, whatever the controller does
 * @queue: the queues, stopped
 * @status: NVME_CMB_CANCELLED or NVME_CMB_LOST, for all of them
 *
 * Context: any.
 */
void nvme_cmb_queue_cancel(struct nvme_cmb_queue *queue, u16 status)
{
	struct nvme_cmb_cmd *cmd;
	unsigned long flags;
	LIST_HEAD(done);
	unsigned int id;

	spin_lock_irqsave(&queue->lock, flags);
	for (id = 0; id < queue->ring.size; id++) {
		cmd = nvme_cmb_queue_take(queue, id);
		if (!cmd)
			continue;
		cmd->status = status;
		list_add_tail(&cmd->node, &done);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	nvme_cmb_queue_end_cmds(&done);
}
