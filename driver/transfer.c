// SPDX-License-Identifier: GPL-2.0-only
/*
 * A copy that is known to be one: between two sights of the controller.
 *
 *	sight		a read of VS that gives what it gave at probe; after a time
 *			without one, of all that tells this window from another
 *	silence		a time in which the controller does not answer: what is
 *			read meanwhile is invented, what is written is lost
 *	fresh		of a sight: since then no silence of 5 ms can have begun
 *			and ended
 *	stretch		what is copied between two sights, in some millisecond
 */
#include <linux/highmem.h>

#include "disk.h"

/**
 * nvme_cmb_disk_die - there is nothing left to wait for
 * @disk: a disk
 * @why: for the log
 *
 * Requests fail for good, and the block layer is told in a while.
 *
 * Context: any.
 */
void nvme_cmb_disk_die(struct nvme_cmb_disk *disk, const char *why)
{
	if (test_and_set_bit(NVME_CMB_GONE, &disk->state))
		return;
	pci_err(disk->win->ctrl->pdev, "%s: %s, the disk is dead\n",
		disk->gd->disk_name, why);
	cancel_delayed_work(&disk->gone);
	schedule_delayed_work(&disk->gone, 0);
}

/**
 * nvme_cmb_disk_fail - the controller does not answer, or is not the same
 * @disk: its disk
 * @why: for the log; NULL if it is the registers that say so
 *
 * Requests fail from here on. The next one that finds the controller answering,
 * with all registers as they were at probe, ends that. The disk is gone for good when
 * the device is: at once if Linux knows that, or if its configuration space, too,
 * has been silent for NVME_CMB_RECOVERY_SECONDS. Until then it may be recovered from
 * an error, of which requests in flight know before Linux does.
 *
 * Context: any.
 */
void nvme_cmb_disk_fail(struct nvme_cmb_disk *disk, const char *why)
{
	const struct nvme_cmb_ctrl *ctrl = disk->win->ctrl;

	if (!test_and_set_bit(NVME_CMB_FAILED, &disk->state)) {
		if (!why)
			why = nvme_cmb_ctrl_answers(ctrl) ?
			      "the controller's registers are not as at probe" :
			      "the controller stopped answering";
		pci_err(ctrl->pdev, "%s: %s, requests fail\n",
			disk->gd->disk_name, why);
	}
	if (nvme_cmb_ctrl_disconnected(ctrl))
		nvme_cmb_disk_die(disk, "the device is gone");
	else if (nvme_cmb_ctrl_present(ctrl))
		cancel_delayed_work(&disk->gone);
	else
		schedule_delayed_work(&disk->gone,
				      NVME_CMB_RECOVERY_SECONDS * HZ);
}

/*
 * Who has looked says whether it @was_seen. The time noted for that, @now_ns, is some time
 * before that look: where the clock is trapped, too, it is dear.
 */
static bool nvme_cmb_looked(struct nvme_cmb_disk *disk, bool was_seen, u64 now_ns)
{
	if (was_seen)
		WRITE_ONCE(disk->seen_ns, now_ns);
	else
		nvme_cmb_disk_fail(disk, NULL);
	return was_seen;
}

static bool nvme_cmb_see(struct nvme_cmb_disk *disk, u64 now_ns)
{
	return nvme_cmb_looked(disk, nvme_cmb_ctrl_alive(disk->win->ctrl),
			       now_ns);
}

/* Is it the same controller again? */
static bool nvme_cmb_see_again(struct nvme_cmb_disk *disk, u64 now_ns)
{
	if (!nvme_cmb_looked(disk, nvme_cmb_window_intact(disk->win), now_ns))
		return false;
	if (test_and_clear_bit(NVME_CMB_FAILED, &disk->state)) {
		cancel_delayed_work(&disk->gone);
		pci_info(disk->win->ctrl->pdev, "%s: the controller answers again\n",
			 disk->gd->disk_name);
	}
	return true;
}

/*
 * Before a copy: has the controller been seen alive only now? What is left of the time
 * until a silence might be missed is for the copy, which else had to be done again.
 * Another CPU may have seen it after @now_ns. If nobody has, a reset may have passed that
 * no request met, of which VS does not tell.
 */
static bool nvme_cmb_seen_lately(struct nvme_cmb_disk *disk, u64 now_ns)
{
	if (test_bit(NVME_CMB_GONE, &disk->state))
		return false;
	if (test_bit(NVME_CMB_FAILED, &disk->state))
		return nvme_cmb_see_again(disk, now_ns);
	return (s64)(now_ns - READ_ONCE(disk->seen_ns)) <
	       NVME_CMB_SILENCE_NS / 2 ||
	       nvme_cmb_looked(disk, nvme_cmb_window_same(disk->win), now_ns);
}

/* Copy @len bytes between @pos and where @iter stands, and move that on. */
static u64 nvme_cmb_copy(const struct nvme_cmb_window *win, enum req_op op,
			 struct req_iterator *iter, u64 pos, size_t len)
{
	u64 accesses = 0;

	if (op != REQ_OP_READ && op != REQ_OP_WRITE)
		return nvme_cmb_copy_zero(win, pos, len);

	while (len) {
		struct bio_vec bvec = bio_iter_iovec(iter->bio, iter->iter);
		size_t part = min_t(size_t, len, bvec.bv_len);
		void *buf = bvec_kmap_local(&bvec);

		if (op == REQ_OP_READ)
			accesses += nvme_cmb_copy_from(win, buf, pos, part);
		/* User space may have the page mapped, too, at another address. */
		flush_dcache_page(bvec.bv_page);
		if (op == REQ_OP_WRITE)
			accesses += nvme_cmb_copy_to(win, pos, buf, part);
		kunmap_local(buf);
		pos += part;
		len -= part;

		bio_advance_iter_single(iter->bio, &iter->iter, part);
		if (!iter->iter.bi_size && iter->bio->bi_next) {
			iter->bio = iter->bio->bi_next;
			iter->iter = iter->bio->bi_iter;
		}
	}
	return accesses;
}

/**
 * nvme_cmb_transfer_init - get ready to move the bytes of a request
 * @transfer: filled in
 * @disk: the disk
 * @op: REQ_OP_READ, REQ_OP_WRITE, or one that leaves zeros
 * @bio: the first of the request's; untouched
 * @pos: where in the window
 * @len: how much, all in all; not 0
 *
 * Context: any.
 */
void nvme_cmb_transfer_init(struct nvme_cmb_transfer *transfer,
			    const struct nvme_cmb_disk *disk, enum req_op op,
			    struct bio *bio, u64 pos, size_t len)
{
	*transfer = (struct nvme_cmb_transfer) {
		.op	= op,
		.iter	= { .bio = bio, .iter = bio->bi_iter },
		.pos	= pos,
		.len	= len,
		.chunk	= disk->win->stretch,
		.now_ns	= ktime_get_ns(),
	};
}

/**
 * nvme_cmb_transfer_chunk - move some bytes of a request
 * @disk: the disk
 * @transfer: the request's; moves on
 *
 * A chunk is copied between two sights of the controller, while user space has to stay
 * away from configuration space. One that took so long that a
 * silence may hide in it is copied again, in halves: who interrupted this copy would do
 * the same to one as long, though not NVME_CMB_TRIES times in a row. The chunks grow
 * again after that, for looking at the controller is what short ones mostly do.
 *
 * Who has slept since the last chunk sets @transfer->now_ns anew, or the first copy is in
 * vain.
 *
 * Context: process, for about a millisecond without preemption.
 * Return: BLK_STS_OK, and @transfer->len is what is left, or BLK_STS_IOERR.
 */
blk_status_t nvme_cmb_transfer_chunk(struct nvme_cmb_disk *disk,
				     struct nvme_cmb_transfer *transfer)
{
	struct nvme_cmb_ctrl *ctrl = disk->win->ctrl;
	struct req_iterator begin = transfer->iter;
	size_t part = min(transfer->len, transfer->chunk);
	bool locked, seen;
	u64 seen_ns;

	if (!nvme_cmb_seen_lately(disk, transfer->now_ns))
		return BLK_STS_IOERR;

	locked = nvme_cmb_ctrl_lock_cfg(ctrl);
	seen_ns = READ_ONCE(disk->seen_ns);
	transfer->accesses += nvme_cmb_copy(disk->win, transfer->op,
					    &transfer->iter, transfer->pos,
					    part);
	seen = nvme_cmb_see(disk, transfer->now_ns);
	transfer->now_ns = ktime_get_ns();
	nvme_cmb_ctrl_unlock_cfg(ctrl, locked);

	if (!seen)
		return BLK_STS_IOERR;
	if (nvme_cmb_is_fresh(seen_ns, transfer->now_ns)) {
		transfer->pos += part;
		transfer->len -= part;
		transfer->chunk = min(2 * transfer->chunk,
				      (size_t)disk->win->stretch);
		transfer->tries = 0;
		return BLK_STS_OK;
	}
	transfer->iter = begin;
	transfer->chunk = round_up(part / 2, NVME_CMB_ACCESS);
	if (++transfer->tries < NVME_CMB_TRIES)
		return BLK_STS_OK;
	dev_err_ratelimited(&ctrl->pdev->dev,
			    "%s: a copy of %zu bytes took longer than %ld ms %u times\n",
			    disk->gd->disk_name, part,
			    NVME_CMB_SILENCE_NS / NSEC_PER_MSEC,
			    transfer->tries);
	return BLK_STS_IOERR;
}

/**
 * nvme_cmb_flush - make sure that what was written stays
 * @disk: the disk
 *
 * No cache stands before a CMB: there is nothing to do but to see it live, for those on
 * whose kernel a user may pretend that there is one. The flush of a PMR may rightly take
 * as long as the emulator's disk does, so that the time between two sights tells nothing
 * here: instead, no interrupt comes between them. Only who stops the whole CPU could
 * still hide a silence, as an emulator's host may: just before the flush and once more
 * after it.
 *
 * Context: any.
 * Return: BLK_STS_OK or BLK_STS_IOERR.
 */
blk_status_t nvme_cmb_flush(struct nvme_cmb_disk *disk)
{
	const struct nvme_cmb_window *win = disk->win;
	unsigned long flags;
	bool locked, flushed;

	if (!nvme_cmb_seen_lately(disk, ktime_get_ns()))
		return BLK_STS_IOERR;
	if (!win->write_cache)
		return BLK_STS_OK;

	locked = nvme_cmb_ctrl_lock_cfg(win->ctrl);
	local_irq_save(flags);
	flushed = nvme_cmb_see(disk, ktime_get_ns()) &&
		  !win->kind->flush(win) &&
		  nvme_cmb_see(disk, ktime_get_ns());
	local_irq_restore(flags);
	nvme_cmb_ctrl_unlock_cfg(win->ctrl, locked);
	return flushed ? BLK_STS_OK : BLK_STS_IOERR;
}
