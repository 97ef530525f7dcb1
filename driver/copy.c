// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving bytes between memory and the window.
 *
 * An emulated CMB traps every access and charges the same for one byte as for
 * eight: the number of accesses is the cost. So each loop here uses the widest
 * access there is, aligned on the device's side. memcpy_fromio() and
 * memcpy_toio() do not promise that (x86: four bytes), nor does memset_io().
 *
 * The __raw accessors are right here: bytes have no endianness, and one
 * nvme_cmb_ctrl_alive() per request orders the whole.
 */
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "nvme_cmb.h"

#ifdef CONFIG_64BIT
#define nvme_cmb_raw_read	__raw_readq
#define nvme_cmb_raw_write	__raw_writeq
#else
#define nvme_cmb_raw_read	__raw_readl
#define nvme_cmb_raw_write	__raw_writel
#endif

#define NVME_CMB_MEASURE_ACCESSES	256
#define NVME_CMB_MEASURE_ROUNDS		8
#define NVME_CMB_STRETCH_NS		NSEC_PER_MSEC

/**
 * nvme_cmb_copy_measure - find out what one access costs
 * @win: a mapped window; @win->access_ns and @win->stretch are set
 *
 * The least of some rounds is the cost itself; the others hold what else the
 * machine was doing meanwhile. 45 ns under TCG, 15 us under nested KVM: the
 * bytes between two scheduling points have to follow from it.
 *
 * Context: may sleep.
 */
void nvme_cmb_copy_measure(struct nvme_cmb_window *win)
{
	u64 best_ns = U64_MAX;
	int round, i;

	for (round = 0; round < NVME_CMB_MEASURE_ROUNDS; round++) {
		u64 start_ns = ktime_get_ns();

		for (i = 0; i < NVME_CMB_MEASURE_ACCESSES; i++)
			nvme_cmb_raw_read(win->base + i * NVME_CMB_ACCESS);
		best_ns = min(best_ns, ktime_get_ns() - start_ns);
		cond_resched();
	}

	win->access_ns = max(div_u64(best_ns, NVME_CMB_MEASURE_ACCESSES), 1);
	win->stretch = clamp(NVME_CMB_STRETCH_NS / win->access_ns,
			     1, PAGE_SIZE / NVME_CMB_ACCESS) * NVME_CMB_ACCESS;
}

static void nvme_cmb_read(void *to, const void __iomem *from, size_t len)
{
	for (; len && !IS_ALIGNED((unsigned long)from, NVME_CMB_ACCESS); len--)
		*(u8 *)to++ = __raw_readb(from++);
	for (; len >= NVME_CMB_ACCESS; len -= NVME_CMB_ACCESS) {
		put_unaligned(nvme_cmb_raw_read(from), (unsigned long *)to);
		to += NVME_CMB_ACCESS;
		from += NVME_CMB_ACCESS;
	}
	for (; len; len--)
		*(u8 *)to++ = __raw_readb(from++);
}

static void nvme_cmb_write(void __iomem *to, const void *from, size_t len)
{
	for (; len && !IS_ALIGNED((unsigned long)to, NVME_CMB_ACCESS); len--)
		__raw_writeb(*(const u8 *)from++, to++);
	for (; len >= NVME_CMB_ACCESS; len -= NVME_CMB_ACCESS) {
		nvme_cmb_raw_write(get_unaligned((const unsigned long *)from),
				   to);
		to += NVME_CMB_ACCESS;
		from += NVME_CMB_ACCESS;
	}
	for (; len; len--)
		__raw_writeb(*(const u8 *)from++, to++);
}

/**
 * nvme_cmb_copy_from - copy out of the window
 * @win: the window
 * @to: where to, at any alignment
 * @pos: where from; @pos + @len lies inside the window
 * @len: how much
 *
 * What was read is worth nothing until nvme_cmb_ctrl_alive() says so.
 *
 * Context: may sleep.
 */
void nvme_cmb_copy_from(const struct nvme_cmb_window *win, void *to, u64 pos,
			size_t len)
{
	while (len) {
		size_t part = min_t(size_t, len, win->stretch);

		nvme_cmb_read(to, win->base + pos, part);
		to += part;
		pos += part;
		len -= part;
		cond_resched();
	}
}

/**
 * nvme_cmb_copy_to - copy into the window
 * @win: the window
 * @pos: where to; @pos + @len lies inside the window
 * @from: where from, at any alignment
 * @len: how much
 *
 * The writes have landed once nvme_cmb_ctrl_alive() says so.
 *
 * Context: may sleep.
 */
void nvme_cmb_copy_to(const struct nvme_cmb_window *win, u64 pos,
		      const void *from, size_t len)
{
	while (len) {
		size_t part = min_t(size_t, len, win->stretch);

		nvme_cmb_write(win->base + pos, from, part);
		from += part;
		pos += part;
		len -= part;
		cond_resched();
	}
}

/**
 * nvme_cmb_copy_zero - write zeros into the window
 * @win: the window
 * @pos: where to, a multiple of NVME_CMB_ACCESS; @pos + @len lies inside
 * @len: how much, a multiple of NVME_CMB_ACCESS
 *
 * Context: may sleep.
 */
void nvme_cmb_copy_zero(const struct nvme_cmb_window *win, u64 pos, u64 len)
{
	void __iomem *to = win->base + pos;

	while (len) {
		size_t part = min_t(u64, len, win->stretch);
		void __iomem *end = to + part;

		for (; to < end; to += NVME_CMB_ACCESS)
			nvme_cmb_raw_write(0, to);
		len -= part;
		cond_resched();
	}
}
