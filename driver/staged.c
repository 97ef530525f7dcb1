// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests whose bytes the controller moves, by way of scratch blocks in a namespace.
 *
 * The CPU's accesses to a CMB are trapped by an emulator, and the controller's are not. No
 * command copies between host memory and the CMB. But a Write command takes its data from
 * either, and a Read command puts its data into either. So a request becomes two commands:
 *
 *	Write: from where the bytes are, to scratch blocks
 *	Read: from the scratch blocks, to where the bytes are wanted
 *
 * A request that writes to the disk goes from host memory to the CMB, one that reads goes
 * from the CMB to host memory. The second command is submitted when the first has completed,
 * because nothing orders two commands. Each tag has scratch blocks of its own: its slot.
 *
 * A request that zeroes is one Read command, from scratch blocks that hold zeros.
 *
 * A command that has completed proves that the controller was there. So no register is read.
 */
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>

#include "admin.h"
#include "prp.h"
#include "staged.h"

/* The status field of a completion without its phase bit (1.4, 4.6.1) */
#define NVME_CMB_STATUS_TYPE(status)	((status) >> 8 & 7)
#define NVME_CMB_MEDIA_ERROR		2

/* A controller that is reset so often, and completes nothing in between, is left alone. */
#define NVME_CMB_STAGED_RESETS		2

static bool nvme_cmb_staged_zeroes(const struct request *req)
{
	return req_op(req) == REQ_OP_DISCARD || req_op(req) == REQ_OP_WRITE_ZEROES;
}

static void nvme_cmb_slot_unmap(struct nvme_cmb_slot *slot)
{
	if (slot->nents)
		dma_unmap_sg(nvme_cmb_staging_dev(slot->staging), slot->sgl,
			     slot->nents, rq_dma_dir(slot->req));
}

static void nvme_cmb_slot_end(struct nvme_cmb_slot *slot,
			      enum nvme_cmb_staged_end end)
{
	struct request *req = slot->req;

	nvme_cmb_slot_unmap(slot);
	slot->staging->end(req, end);
}

/**
 * nvme_cmb_staged_done - a command of a slot is done
 * @cmd: the slot's
 *
 * Context: any, also hard interrupt.
 */
void nvme_cmb_staged_done(struct nvme_cmb_cmd *cmd)
{
	struct nvme_cmb_slot *slot = container_of(cmd, struct nvme_cmb_slot, cmd);
	struct nvme_cmb_ctrl *ctrl = slot->staging->ctrl;
	enum nvme_cmb_staged_end end;

	if (cmd->status == NVME_CMB_CANCELLED) {
		nvme_cmb_slot_end(slot, NVME_CMB_STAGED_UNDONE);
	} else if (cmd->status == NVME_CMB_LOST) {
		nvme_cmb_slot_end(slot, NVME_CMB_STAGED_FAILED);
	} else if (cmd->status) {
		end = NVME_CMB_STATUS_TYPE(cmd->status) == NVME_CMB_MEDIA_ERROR ?
		      NVME_CMB_STAGED_FAILED : NVME_CMB_STAGED_UNDONE;
		dev_err_ratelimited(nvme_cmb_staging_dev(slot->staging),
				    "staged copy: %s of scratch block %llu failed, status 0x%04x\n",
				    slot->is_second ? "read" : "write", slot->slba,
				    cmd->status);
		nvme_cmb_slot_end(slot, end);
	} else if (slot->is_second) {
		WRITE_ONCE(slot->staging->resets, 0);
		nvme_cmb_slot_end(slot, NVME_CMB_STAGED_DONE);
	} else {
		slot->is_second = true;
		/* Another CPU may end the request at once, and the slot be freed. */
		if (nvme_cmb_queue_submit(slot->queue, &slot->second, cmd))
			nvme_cmb_slot_end(slot, NVME_CMB_STAGED_UNDONE);
		else
			nvme_cmb_admin_watch(ctrl);
	}
}

/**
 * nvme_cmb_staging_set_rw - build a Read or Write command on scratch blocks (1.4, 6.9 and 6.15)
 * @staging: the scratch namespace
 * @sqe: filled in
 * @opcode: nvme_cmd_read or nvme_cmd_write
 * @slba: first of the blocks
 * @len: bytes, a multiple of the block
 * @prps: where they lie in memory
 *
 * Context: any.
 */
void nvme_cmb_staging_set_rw(const struct nvme_cmb_staging *staging,
			     struct nvme_command *sqe, u8 opcode, u64 slba, size_t len,
			     const struct nvme_cmb_prps *prps)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->rw.opcode = opcode;
	sqe->rw.nsid = cpu_to_le32(staging->nsid);
	sqe->rw.slba = cpu_to_le64(slba);
	sqe->rw.length = cpu_to_le16((len >> staging->block_shift) - 1);
	nvme_cmb_prps_set(prps, sqe);
}

/*
 * Map the request's pages, and collect the PRP entries of them.
 *
 * Return: false if they cannot be mapped, or PRP entries cannot tell where they are. Nothing is
 * mapped then.
 */
static bool nvme_cmb_slot_map(struct nvme_cmb_slot *slot, struct nvme_cmb_prps *host)
{
	struct device *dev = nvme_cmb_staging_dev(slot->staging);
	struct request *req = slot->req;
	struct scatterlist *sg;
	int mapped, i;

	sg_init_table(slot->sgl, blk_rq_nr_phys_segments(req));
	slot->nents = blk_rq_map_sg(req, slot->sgl);
	mapped = dma_map_sg(dev, slot->sgl, slot->nents, rq_dma_dir(req));
	if (!mapped)
		return false;
	for_each_sg(slot->sgl, sg, mapped, i) {
		if (nvme_cmb_prps_add(host, sg_dma_address(sg), sg_dma_len(sg))) {
			nvme_cmb_slot_unmap(slot);
			return false;
		}
	}
	return true;
}

/*
 * Build the commands of a request: @first, and the slot's second one. One that zeroes has only
 * that, which reads zeros into the CMB.
 *
 * Return: false if they cannot be built.
 */
static bool nvme_cmb_slot_build(struct nvme_cmb_slot *slot,
				struct nvme_command *first)
{
	struct nvme_cmb_staging *staging = slot->staging;
	unsigned int page_shift = staging->ctrl->page_shift;
	struct request *req = slot->req;
	size_t len = blk_rq_bytes(req);
	u64 bus = staging->bus + ((u64)blk_rq_pos(req) << SECTOR_SHIFT);
	struct nvme_cmb_prps host, cmb;
	bool write = rq_data_dir(req) == WRITE;

	nvme_cmb_prps_init(&host, page_shift, slot->list[0], slot->list_dma[0]);
	nvme_cmb_prps_init(&cmb, page_shift, slot->list[1], slot->list_dma[1]);
	if (nvme_cmb_prps_add(&cmb, bus, len))
		return false;
	slot->nents = 0;
	slot->is_second = nvme_cmb_staged_zeroes(req);
	if (slot->is_second) {
		nvme_cmb_staging_set_rw(staging, first, nvme_cmd_read, staging->zero_slba, len,
					&cmb);
		return true;
	}
	if (!nvme_cmb_slot_map(slot, &host))
		return false;
	nvme_cmb_staging_set_rw(staging, first, nvme_cmd_write, slot->slba, len,
				write ? &host : &cmb);
	nvme_cmb_staging_set_rw(staging, &slot->second, nvme_cmd_read, slot->slba, len,
				write ? &cmb : &host);
	return true;
}

/* After a reset the controller may know fewer queues. Those with an interrupt serve anyone. */
static struct nvme_cmb_queue *nvme_cmb_staged_queue(struct nvme_cmb_ctrl *ctrl,
						    unsigned int hctx, unsigned int nr_io)
{
	if (hctx >= nr_io)
		hctx %= min(nr_io, ctrl->nr_irq);
	return &ctrl->queues[1 + hctx];
}

/**
 * nvme_cmb_staged_poll - end the commands of a queue that the controller has completed
 * @ctrl: the controller
 * @hctx: number of the hardware queue
 *
 * Context: any.
 * Return: true if there were any.
 */
bool nvme_cmb_staged_poll(struct nvme_cmb_ctrl *ctrl, unsigned int hctx)
{
	unsigned int nr_io = READ_ONCE(ctrl->nr_io);

	return nr_io && nvme_cmb_queue_poll(nvme_cmb_staged_queue(ctrl, hctx, nr_io));
}

/**
 * nvme_cmb_staged_submit - have the controller do a request, if it can
 * @staging: the scratch namespace
 * @req: it was started, and is a read, a write, or zeroes
 *
 * Context: any.
 * Return: true if it does, and then the staging's end function is told; false if the CPU has
 * to do it.
 */
bool nvme_cmb_staged_submit(struct nvme_cmb_staging *staging,
			    struct request *req)
{
	struct nvme_cmb_slot *slot = &staging->slots[req->tag];
	struct nvme_cmb_ctrl *ctrl = staging->ctrl;
	unsigned int nr_io = READ_ONCE(ctrl->nr_io);
	struct nvme_command first;

	if (!nr_io || READ_ONCE(staging->resets) >= NVME_CMB_STAGED_RESETS ||
	    !staging->can[rq_data_dir(req)] ||
	    blk_rq_bytes(req) < READ_ONCE(staging->min_len[rq_data_dir(req)]) ||
	    blk_rq_bytes(req) > staging->slot_len ||
	    blk_rq_bytes(req) & ((1U << staging->block_shift) - 1) ||
	    blk_rq_nr_phys_segments(req) > NVME_CMB_STAGED_SEGMENTS(staging->slot_len))
		return false;

	slot->req = req;
	slot->timed_out = false;
	slot->queue = nvme_cmb_staged_queue(ctrl, req->mq_hctx->queue_num, nr_io);
	if (!nvme_cmb_slot_build(slot, &first))
		return false;
	if (nvme_cmb_queue_submit(slot->queue, &first, &slot->cmd)) {
		nvme_cmb_slot_unmap(slot);
		return false;
	}
	nvme_cmb_admin_watch(ctrl);
	return true;
}

/**
 * nvme_cmb_staged_timed_out - a request takes too long
 * @staging: the scratch namespace
 * @req: a request that nvme_cmb_staged_submit() has taken
 *
 * The first time its command is aborted, and the controller gets as long again. Then it is
 * reset, and the CPU serves the request.
 *
 * Context: may sleep.
 */
void nvme_cmb_staged_timed_out(struct nvme_cmb_staging *staging,
			       struct request *req)
{
	struct nvme_cmb_slot *slot = &staging->slots[req->tag];
	struct nvme_cmb_ctrl *ctrl = staging->ctrl;
	bool was_second;

	/*
	 * It may be complete, and its interrupt was lost. Then the second command may just have
	 * been submitted, or the CPU be about to serve the request.
	 */
	was_second = READ_ONCE(slot->is_second);
	nvme_cmb_queue_poll(slot->queue);
	if (READ_ONCE(slot->is_second) != was_second ||
	    !nvme_cmb_queue_has(slot->queue, &slot->cmd))
		return;
	if (!slot->timed_out) {
		slot->timed_out = true;
		pci_warn(ctrl->pdev, "queue %u: a command takes longer than %u ms, and is aborted\n",
			 slot->queue->id, jiffies_to_msecs(req->timeout));
		nvme_cmb_cmd_abort(ctrl, slot->queue, &slot->cmd);
		return;
	}
	pci_err(ctrl->pdev, "queue %u: a command takes too long, the controller is reset\n",
		slot->queue->id);
	if (++staging->resets == NVME_CMB_STAGED_RESETS)
		pci_err(ctrl->pdev, "no more copies are staged\n");
	nvme_cmb_ctrl_disable(ctrl);
	queue_delayed_work(system_freezable_wq, &ctrl->reset, 0);
}
