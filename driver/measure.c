// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which routine is the cheapest for a window, and how long one copy may be.
 */
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "memory.h"

#define NVME_CMB_MEASURE_LEN	(512 * NVME_CMB_ACCESS)
#define NVME_CMB_MEASURE_ROUNDS	8
#define NVME_CMB_CHUNK_NS	NSEC_PER_MSEC

/*
 * The shortest of some rounds is the cost itself. The others include what else the machine
 * did meanwhile.
 */
static unsigned int nvme_cmb_measure(const struct nvme_cmb_window *win,
				     const struct nvme_cmb_routine *routine,
				     bool write, void *buf, size_t len)
{
	u64 best_ns = U64_MAX;
	int round;

	for (round = 0; round < NVME_CMB_MEASURE_ROUNDS; round++) {
		u64 start_ns = ktime_get_ns();

		if (write)
			routine->write(win->base, buf, len);
		else
			routine->read(buf, win->base, len);
		best_ns = min(best_ns, ktime_get_ns() - start_ns);
		cond_resched();
	}
	return div_u64(best_ns * 1000, len / routine->width);
}

/* At most as much as takes less than NVME_CMB_MAX_CHECK_GAP_NS at a microsecond an access */
#define NVME_CMB_SNAPSHOT_LEN	SZ_4K

static int nvme_cmb_copy_snapshot_part(const struct nvme_cmb_window *win, void *buf,
				       u64 pos, size_t len)
{
	bool locked, alive;
	u64 start_ns;
	int i;

	for (i = 0; i < NVME_CMB_TRIES; i++) {
		start_ns = ktime_get_ns();
		locked = nvme_cmb_ctrl_lock_cfg(win->ctrl);
		alive = nvme_cmb_ctrl_alive(win->ctrl);
		nvme_cmb_copy_from(win, buf, pos, len);
		alive = alive && nvme_cmb_ctrl_alive(win->ctrl);
		nvme_cmb_ctrl_unlock_cfg(win->ctrl, locked);
		if (!alive)
			return -EIO;
		if (nvme_cmb_check_gap_ok(start_ns, ktime_get_ns()))
			return 0;
		cond_resched();
	}
	return -ETIMEDOUT;
}

/**
 * nvme_cmb_copy_snapshot - read what is in a window, checked as nvme_cmb_transfer_chunk() does
 * @win: a window that is mapped
 * @buf: filled in
 * @pos: where to begin in the window, a multiple of NVME_CMB_ACCESS
 * @len: how much, likewise
 *
 * Context: may sleep.
 * Return: 0, -EIO if the controller does not answer, -ETIMEDOUT if it takes too long.
 */
int nvme_cmb_copy_snapshot(const struct nvme_cmb_window *win, void *buf, u64 pos, size_t len)
{
	size_t done, part;
	int ret = 0;

	for (done = 0; !ret && done < len; done += part) {
		part = min_t(size_t, len - done, NVME_CMB_SNAPSHOT_LEN);
		ret = nvme_cmb_copy_snapshot_part(win, buf + done, pos + done, part);
	}
	return ret;
}

static bool nvme_cmb_fits(const struct nvme_cmb_window *win,
			  const struct nvme_cmb_routine *routine,
			  const struct nvme_cmb_routine *only)
{
	if (routine->memory && !win->kind->memory)
		return false;
	if (only && only->memory && !win->kind->memory)
		only = NULL;
	return !only || routine == only;
}

static const struct nvme_cmb_routine *
nvme_cmb_cheapest(const struct nvme_cmb_window *win,
		  const struct nvme_cmb_routine *only, bool write, void *buf,
		  size_t len, unsigned int *best_ps)
{
	const struct nvme_cmb_routine *routine, *best = NULL;
	unsigned int ps;
	unsigned int i;

	for (i = 0; i < nvme_cmb_nr_routines; i++) {
		routine = &nvme_cmb_routines[i];
		if (!nvme_cmb_fits(win, routine, only))
			continue;
		ps = nvme_cmb_measure(win, routine, write, buf, len);
		if (!best || ps * best->width < *best_ps * routine->width) {
			best = routine;
			*best_ps = ps;
		}
	}
	return best;
}

/**
 * nvme_cmb_copy_choose - find the cheapest routine, and what it costs
 * @win: a mapped window; its copying fields are set
 * @only: the routine to take, NULL to let the measurement decide, which it also
 *	does if that routine is not for this window
 *
 * Which routine is the cheapest depends on the machine, and on the version of an emulator:
 * the best in one QEMU was the worst in another. To measure stores, what was there is stored
 * again. That is left out if the window is read-only.
 *
 * Context: may sleep. Nobody else may use the window.
 * Return: 0, -ENOMEM, -EIO if the controller stopped answering, or -ETIMEDOUT if it is
 * too slow for its answers to tell anything.
 */
int nvme_cmb_copy_choose(struct nvme_cmb_window *win,
			 const struct nvme_cmb_routine *only)
{
	size_t len = NVME_CMB_MEASURE_LEN;
	unsigned int worst_ns;
	u64 start_ns;
	void *buf;
	int ret;

	buf = kmalloc(len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;

	/*
	 * An access takes from 30 ns (TCG) to 15 us (KVM in a guest of KVM). Cheap accesses
	 * are measured in large numbers, to hide the cost of the clock. Dear ones are
	 * measured in small numbers, because they hold the CPU. The first access is not
	 * measured: it may fault in a page of the emulator.
	 */
	__raw_readq(win->base);
	start_ns = ktime_get_ns();
	__raw_readq(win->base);
	if (ktime_get_ns() - start_ns > NSEC_PER_USEC)
		len /= 8;

	win->read = nvme_cmb_cheapest(win, only, false, buf, len,
				      &win->read_ps);
	ret = nvme_cmb_copy_snapshot(win, buf, 0, len);
	if (ret)
		goto out_free_buf;
	/* A memory that has failed may not survive a write. */
	if (win->read_only)
		win->write = win->read;
	else
		win->write = nvme_cmb_cheapest(win, only, true, buf, len,
					       &win->write_ps);
	if (!nvme_cmb_ctrl_alive(win->ctrl))
		ret = -EIO;

	worst_ns = max(win->read_ps, win->write_ps) / 1000 + 1;
	/* A routine with accesses half as wide takes twice as long, which is good enough. */
	win->chunk = max(NVME_CMB_CHUNK_NS / worst_ns, 1L) * NVME_CMB_ACCESS;
out_free_buf:
	kfree(buf);
	return ret;
}
