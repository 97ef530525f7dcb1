// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bytes of a request, moved by the CPU, with proof that the controller was there.
 *
 * A controller may stop answering at any time. The CPU is not told: what it reads then is
 * invented, and what it writes is lost. So a request is copied in chunks of about a
 * millisecond. Before and after each chunk the driver reads VS, and compares it with what
 * it was at probe. A chunk counts as copied if both reads match, and if less than
 * NVME_CMB_MAX_CHECK_GAP_NS has passed between them. User space cannot write to
 * configuration space meanwhile, which might switch the memory off and on within that time.
 */
#include <linux/highmem.h>

#include "disk.h"

/**
 * nvme_cmb_disk_mark_dead - let all requests fail for good
 * @disk: a disk
 * @why: for the log
 *
 * @disk->dead_work tells the block layer, because that may sleep.
 *
 * Context: any.
 */
void nvme_cmb_disk_mark_dead(struct nvme_cmb_disk *disk, const char *why)
{
	if (test_and_set_bit(NVME_CMB_DEAD, &disk->state))
		return;
	pci_err(disk->ctrl->pdev, "%s: %s, the disk is dead\n",
		disk->gd->disk_name, why);
	cancel_delayed_work(&disk->dead_work);
	schedule_delayed_work(&disk->dead_work, 0);
}

/**
 * nvme_cmb_disk_mark_gone - the device has left: let all requests fail for good
 * @disk: a disk of it
 *
 * If Linux knows that it has left, too, its other disk finds out with the next request. A
 * device that is only absent may come back, and then the other disk goes on.
 *
 * Context: any.
 */
void nvme_cmb_disk_mark_gone(struct nvme_cmb_disk *disk)
{
	if (nvme_cmb_ctrl_disconnected(disk->ctrl))
		nvme_cmb_ctrl_set_state(disk->ctrl, NVME_CMB_CTRL_DEAD);
	nvme_cmb_disk_mark_dead(disk, "the device is gone");
}

/**
 * nvme_cmb_disk_fail - let requests fail until the controller is back
 * @disk: a disk of a controller that does not answer, or that is not the same
 * @why: for the log; NULL if the registers are the reason
 *
 * The next request that finds all registers as they were at probe ends the failure.
 *
 * The disk is dead if the device is gone: at once if Linux knows that it is, or when its
 * configuration space has not answered for NVME_CMB_RECOVERY_SECONDS. Requests in flight
 * often notice an error before Linux does, and Linux may recover the device from it.
 *
 * Context: any.
 */
void nvme_cmb_disk_fail(struct nvme_cmb_disk *disk, const char *why)
{
	struct nvme_cmb_ctrl *ctrl = disk->ctrl;

	if (!test_and_set_bit(NVME_CMB_FAILED, &disk->state)) {
		if (!why)
			why = nvme_cmb_ctrl_answers(ctrl) ?
			      "the controller's registers are not as at probe" :
			      "the controller stopped answering";
		pci_err(ctrl->pdev, "%s: %s, requests fail\n",
			disk->gd->disk_name, why);
	}
	if (nvme_cmb_ctrl_disconnected(ctrl))
		nvme_cmb_disk_mark_gone(disk);
	else if (nvme_cmb_ctrl_present(ctrl))
		cancel_delayed_work(&disk->dead_work);
	else
		schedule_delayed_work(&disk->dead_work,
				      NVME_CMB_RECOVERY_SECONDS * HZ);
}

/*
 * Note the result of a check. @now_ns was read shortly before the check. Reading the clock
 * again may cost a trap.
 */
static bool nvme_cmb_note_alive(struct nvme_cmb_disk *disk, bool alive, u64 now_ns)
{
	if (alive)
		WRITE_ONCE(disk->checked_ns, now_ns);
	else
		nvme_cmb_disk_fail(disk, NULL);
	return alive;
}

static bool nvme_cmb_check_alive(struct nvme_cmb_disk *disk, u64 now_ns)
{
	return nvme_cmb_note_alive(disk, nvme_cmb_ctrl_alive(disk->ctrl),
			       now_ns);
}

/* Requests failed until now. Is the controller back, and is it the same? */
static bool nvme_cmb_check_usable(struct nvme_cmb_disk *disk, u64 now_ns)
{
	if (!nvme_cmb_note_alive(disk, nvme_cmb_window_usable(disk->win), now_ns))
		return false;
	if (test_and_clear_bit(NVME_CMB_FAILED, &disk->state)) {
		cancel_delayed_work(&disk->dead_work);
		pci_info(disk->ctrl->pdev, "%s: the controller answers again\n",
			 disk->gd->disk_name);
	}
	return true;
}

/*
 * Before a copy: was the controller checked so recently that this check is the first of the
 * two? Half of the gap is left for the copy. Another CPU may have done it after @now_ns.
 *
 * If nobody has, all registers are compared. A reset may have happened that no request
 * noticed, and VS does not tell of it.
 */
static bool nvme_cmb_recently_checked(struct nvme_cmb_disk *disk, u64 now_ns)
{
	if (test_bit(NVME_CMB_DEAD, &disk->state))
		return false;
	if (nvme_cmb_ctrl_is(disk->ctrl, NVME_CMB_CTRL_DEAD)) {
		nvme_cmb_disk_mark_gone(disk);
		return false;
	}
	/* What is written now, a command may overwrite that nobody waits for. */
	if (!disk->win->kind->memory && READ_ONCE(disk->ctrl->stray))
		return false;
	if (test_bit(NVME_CMB_FAILED, &disk->state))
		return nvme_cmb_check_usable(disk, now_ns);
	return (s64)(now_ns - READ_ONCE(disk->checked_ns)) <
	       NVME_CMB_MAX_CHECK_GAP_NS / 2 ||
	       nvme_cmb_note_alive(disk, nvme_cmb_window_regs_match(disk->win), now_ns);
}

/* Copy @len bytes between @pos and where @iter stands, and advance @iter. */
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
		.chunk	= disk->win->chunk,
		.now_ns	= ktime_get_ns(),
	};
}

/**
 * nvme_cmb_transfer_chunk - copy the next chunk of a request, and check it
 * @disk: the disk
 * @transfer: the request's; advanced if the chunk is good
 *
 * A chunk that took longer than the check gap is copied again by the next call, and is half
 * as long then: whatever interrupted this copy would interrupt one of the same length. After
 * NVME_CMB_TRIES such copies in a row the request fails. After a good copy the chunks grow
 * again, because the checks are most of what short ones cost.
 *
 * A caller that has slept since the last chunk sets @transfer->now_ns to the current time.
 * Otherwise the first copy is done in vain.
 *
 * Context: process, for about a millisecond without preemption.
 * Return: BLK_STS_OK, and @transfer->len is what is left, or BLK_STS_IOERR.
 */
blk_status_t nvme_cmb_transfer_chunk(struct nvme_cmb_disk *disk,
				     struct nvme_cmb_transfer *transfer)
{
	struct nvme_cmb_ctrl *ctrl = disk->ctrl;
	struct req_iterator begin = transfer->iter;
	size_t part = min(transfer->len, transfer->chunk);
	bool locked, alive;
	u64 checked_ns;

	if (!nvme_cmb_recently_checked(disk, transfer->now_ns))
		return BLK_STS_IOERR;

	locked = nvme_cmb_ctrl_lock_cfg(ctrl);
	checked_ns = READ_ONCE(disk->checked_ns);
	transfer->accesses += nvme_cmb_copy(disk->win, transfer->op,
					    &transfer->iter, transfer->pos,
					    part);
	alive = nvme_cmb_check_alive(disk, transfer->now_ns);
	transfer->now_ns = ktime_get_ns();
	nvme_cmb_ctrl_unlock_cfg(ctrl, locked);

	if (!alive)
		return BLK_STS_IOERR;
	if (nvme_cmb_check_gap_ok(checked_ns, transfer->now_ns)) {
		transfer->pos += part;
		transfer->len -= part;
		transfer->chunk = min(2 * transfer->chunk,
				      (size_t)disk->win->chunk);
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
			    NVME_CMB_MAX_CHECK_GAP_NS / NSEC_PER_MSEC,
			    transfer->tries);
	return BLK_STS_IOERR;
}

/**
 * nvme_cmb_flush - make persistent what was written
 * @disk: the disk
 *
 * A CMB has no cache in front of it, so that only the controller is checked. Such flushes
 * come where a user has switched the cache of the queue to "write back".
 *
 * The flush of a PMR may take as long as the emulator's disk needs. The time between two
 * checks proves nothing here. Instead, interrupts are disabled between them. The controller
 * could only be away unnoticed if something stops the whole CPU twice, just before the
 * flush and just after it, as the host of an emulator may.
 *
 * Context: any.
 * Return: BLK_STS_OK or BLK_STS_IOERR.
 */
blk_status_t nvme_cmb_flush(struct nvme_cmb_disk *disk)
{
	const struct nvme_cmb_window *win = disk->win;
	unsigned long flags;
	bool locked, flushed;

	if (!nvme_cmb_recently_checked(disk, ktime_get_ns()))
		return BLK_STS_IOERR;
	if (!win->write_cache)
		return BLK_STS_OK;

	locked = nvme_cmb_ctrl_lock_cfg(win->ctrl);
	local_irq_save(flags);
	flushed = nvme_cmb_check_alive(disk, ktime_get_ns()) &&
		  !win->kind->flush(win) &&
		  nvme_cmb_check_alive(disk, ktime_get_ns());
	local_irq_restore(flags);
	nvme_cmb_ctrl_unlock_cfg(win->ctrl, locked);
	return flushed ? BLK_STS_OK : BLK_STS_IOERR;
}
