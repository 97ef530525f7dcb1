// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving bytes between memory and the window.
 *
 * An emulated CMB traps every access and charges the same for one byte as for
 * eight: the number of accesses is the cost. So each loop here uses the widest
 * access there is, aligned on the device's side. memcpy_fromio() and
 * memcpy_toio() do not promise that (x86: four bytes), nor does memset_io(). A PMR
 * is memory to the CPU, where the same routines compete with memcpy().
 *
 * The __raw accessors are right here: bytes have no endianness, and one
 * nvme_cmb_ctrl_alive() after each stretch orders the whole.
 */
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "nvme_cmb.h"

#define NVME_CMB_MEASURE_LEN	(512 * NVME_CMB_ACCESS)
#define NVME_CMB_MEASURE_ROUNDS	8
#define NVME_CMB_STRETCH_NS	NSEC_PER_MSEC

static void nvme_cmb_loop_read(void *to, const void __iomem *from, size_t len)
{
	for (; len; len -= NVME_CMB_ACCESS) {
		put_unaligned(__raw_readq(from), (u64 *)to);
		to += NVME_CMB_ACCESS;
		from += NVME_CMB_ACCESS;
	}
}

static void nvme_cmb_loop_write(void __iomem *to, const void *from, size_t len)
{
	for (; len; len -= NVME_CMB_ACCESS) {
		__raw_writeq(get_unaligned((const u64 *)from), to);
		to += NVME_CMB_ACCESS;
		from += NVME_CMB_ACCESS;
	}
}

static void nvme_cmb_loop_zero(void __iomem *to, size_t len)
{
	for (; len; len -= NVME_CMB_ACCESS) {
		__raw_writeq(0, to);
		to += NVME_CMB_ACCESS;
	}
}

/*
 * To a binary translator the end of a turn is as dear as two accesses that are not
 * trapped, so a PMR does with an eighth of the turns.
 */
#define NVME_CMB_TURN	(8 * NVME_CMB_ACCESS)

static void nvme_cmb_unrolled_read(void *to, const void __iomem *from,
				   size_t len)
{
	size_t i;

	for (; len >= NVME_CMB_TURN; len -= NVME_CMB_TURN) {
#pragma GCC unroll 8
		for (i = 0; i < NVME_CMB_TURN; i += NVME_CMB_ACCESS)
			put_unaligned(__raw_readq(from + i), (u64 *)(to + i));
		to += NVME_CMB_TURN;
		from += NVME_CMB_TURN;
	}
	nvme_cmb_loop_read(to, from, len);
}

static void nvme_cmb_unrolled_write(void __iomem *to, const void *from,
				    size_t len)
{
	size_t i;

	for (; len >= NVME_CMB_TURN; len -= NVME_CMB_TURN) {
#pragma GCC unroll 8
		for (i = 0; i < NVME_CMB_TURN; i += NVME_CMB_ACCESS)
			__raw_writeq(get_unaligned((const u64 *)(from + i)),
				     to + i);
		to += NVME_CMB_TURN;
		from += NVME_CMB_TURN;
	}
	nvme_cmb_loop_write(to, from, len);
}

#ifdef CONFIG_X86_64
/*
 * A string instruction is a block of its own to a binary translator. Newer
 * QEMUs translate again what accesses a device from the middle of a block,
 * which makes each turn of a plain loop three times as dear.
 */
static void nvme_cmb_movsq_read(void *to, const void __iomem *from, size_t len)
{
	size_t count = len / 8;

	asm volatile("rep movsq"
		     : "+D" (to), "+S" (from), "+c" (count) : : "memory");
}

static void nvme_cmb_movsq_write(void __iomem *to, const void *from, size_t len)
{
	size_t count = len / 8;

	asm volatile("rep movsq"
		     : "+D" (to), "+S" (from), "+c" (count) : : "memory");
}

static void nvme_cmb_stosq_zero(void __iomem *to, size_t len)
{
	size_t count = len / 8;

	asm volatile("rep stosq"
		     : "+D" (to), "+c" (count) : "a" (0UL) : "memory");
}
#endif

static void nvme_cmb_io_read(void *to, const void __iomem *from, size_t len)
{
	memcpy_fromio(to, from, len);
}

static void nvme_cmb_io_write(void __iomem *to, const void *from, size_t len)
{
	memcpy_toio(to, from, len);
}

/* memcpy() is whatever the architecture likes best, which suits memory. */
static void nvme_cmb_mem_read(void *to, const void __iomem *from, size_t len)
{
	memcpy(to, (__force const void *)from, len);
}

static void nvme_cmb_mem_write(void __iomem *to, const void *from, size_t len)
{
	memcpy((__force void *)to, from, len);
}

static void nvme_cmb_mem_zero(void __iomem *to, size_t len)
{
	memset((__force void *)to, 0, len);
}

static const struct nvme_cmb_routine nvme_cmb_routines[] = {
	{
		.name	= "loop",
		.width	= NVME_CMB_ACCESS,
		.read	= nvme_cmb_loop_read,
		.write	= nvme_cmb_loop_write,
		.zero	= nvme_cmb_loop_zero,
	},
	{
		.name	= "unrolled",
		.width	= NVME_CMB_ACCESS,
		.read	= nvme_cmb_unrolled_read,
		.write	= nvme_cmb_unrolled_write,
		.zero	= nvme_cmb_loop_zero,
	},
#ifdef CONFIG_X86_64
	{
		.name	= "movsq",
		.width	= NVME_CMB_ACCESS,
		.read	= nvme_cmb_movsq_read,
		.write	= nvme_cmb_movsq_write,
		.zero	= nvme_cmb_stosq_zero,
	},
#endif
	{
		.name	= "memcpy_io",
		.width	= IS_ENABLED(CONFIG_X86) ? 4 : NVME_CMB_ACCESS,
		.read	= nvme_cmb_io_read,
		.write	= nvme_cmb_io_write,
		.zero	= nvme_cmb_loop_zero,
	},
	{
		.name	= "memcpy",
		.width	= NVME_CMB_ACCESS,
		.memory	= true,
		.read	= nvme_cmb_mem_read,
		.write	= nvme_cmb_mem_write,
		.zero	= nvme_cmb_mem_zero,
	},
};

/**
 * nvme_cmb_copy_find - look a routine up by its name
 * @name: one of "loop", "unrolled", "movsq" (on x86-64), "memcpy_io" and "memcpy"
 *
 * Return: the routine, or NULL.
 */
const struct nvme_cmb_routine *nvme_cmb_copy_find(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(nvme_cmb_routines); i++)
		if (sysfs_streq(name, nvme_cmb_routines[i].name))
			return &nvme_cmb_routines[i];
	return NULL;
}

/*
 * The least of some rounds is the cost itself; the others hold what else the
 * machine was doing meanwhile.
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

/*
 * What the stretch holds, and no invention: the controller answered before and
 * after, and there was no time between for a silence worth the name.
 */
static int nvme_cmb_snapshot(const struct nvme_cmb_window *win, void *buf,
			     size_t len)
{
	bool locked, alive;
	u64 start_ns;
	int i;

	for (i = 0; i < NVME_CMB_TRIES; i++) {
		start_ns = ktime_get_ns();
		locked = nvme_cmb_ctrl_lock_cfg(win->ctrl);
		alive = nvme_cmb_ctrl_alive(win->ctrl);
		nvme_cmb_loop_read(buf, win->base, len);
		alive = alive && nvme_cmb_ctrl_alive(win->ctrl);
		nvme_cmb_ctrl_unlock_cfg(win->ctrl, locked);
		if (!alive)
			return -EIO;
		if (nvme_cmb_is_fresh(start_ns, ktime_get_ns()))
			return 0;
		cond_resched();
	}
	return -ETIMEDOUT;
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
	int i;

	for (i = 0; i < ARRAY_SIZE(nvme_cmb_routines); i++) {
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
 * Which is best depends on the machine, and for an emulator on its version: of
 * two QEMUs each had the other's worst. What is written while measuring is what
 * was there, and nothing is written to a window that is read-only.
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
	 * The clock's own cost must not show, nor may the CPU be held for long:
	 * an access takes anything from 30 ns under TCG to 15 us under KVM in a
	 * guest of KVM. The first may have to wait for a page of the emulator's.
	 */
	__raw_readq(win->base);
	start_ns = ktime_get_ns();
	__raw_readq(win->base);
	if (ktime_get_ns() - start_ns > NSEC_PER_USEC)
		len /= 8;

	win->read = nvme_cmb_cheapest(win, only, false, buf, len,
				      &win->read_ps);
	ret = nvme_cmb_snapshot(win, buf, len);
	if (ret)
		goto out_free_buf;
	/* A write is what a memory that has to be rescued may not survive. */
	if (win->read_only)
		win->write = win->read;
	else
		win->write = nvme_cmb_cheapest(win, only, true, buf, len,
					       &win->write_ps);
	if (!nvme_cmb_ctrl_alive(win->ctrl))
		ret = -EIO;

	worst_ns = max(win->read_ps, win->write_ps) / 1000 + 1;
	/* With an access half as wide it takes twice as long, which will do. */
	win->stretch = max(NVME_CMB_STRETCH_NS / worst_ns, 1L) * NVME_CMB_ACCESS;
out_free_buf:
	kfree(buf);
	return ret;
}

/* How much of @len can go by single bytes until @addr is aligned. */
static size_t nvme_cmb_head(const void __iomem *addr, size_t len)
{
	return min_t(size_t, len, -(unsigned long)addr % NVME_CMB_ACCESS);
}

/**
 * nvme_cmb_copy_from - copy out of the window
 * @win: the window
 * @to: where to, at any alignment
 * @pos: where from; @pos + @len lies inside the window
 * @len: how much; the CPU is held for as long
 *
 * What was read is worth nothing until nvme_cmb_ctrl_alive() says so.
 *
 * Context: any.
 * Return: how many accesses to the window it took.
 */
size_t nvme_cmb_copy_from(const struct nvme_cmb_window *win, void *to, u64 pos,
			  size_t len)
{
	const void __iomem *from = win->base + pos;
	size_t head = nvme_cmb_head(from, len);
	size_t body = round_down(len - head, NVME_CMB_ACCESS);
	size_t tail = len - head - body;
	size_t i;

	for (i = 0; i < head; i++)
		*(u8 *)to++ = __raw_readb(from++);
	win->read->read(to, from, body);
	to += body;
	from += body;
	for (i = 0; i < tail; i++)
		*(u8 *)to++ = __raw_readb(from++);
	return head + body / win->read->width + tail;
}

/**
 * nvme_cmb_copy_to - copy into the window
 * @win: the window
 * @pos: where to; @pos + @len lies inside the window
 * @from: where from, at any alignment
 * @len: how much; the CPU is held for as long
 *
 * The writes have landed once nvme_cmb_ctrl_alive() says so.
 *
 * Context: any.
 * Return: how many accesses to the window it took.
 */
size_t nvme_cmb_copy_to(const struct nvme_cmb_window *win, u64 pos,
			const void *from, size_t len)
{
	void __iomem *to = win->base + pos;
	size_t head = nvme_cmb_head(to, len);
	size_t body = round_down(len - head, NVME_CMB_ACCESS);
	size_t tail = len - head - body;
	size_t i;

	for (i = 0; i < head; i++)
		__raw_writeb(*(const u8 *)from++, to++);
	win->write->write(to, from, body);
	to += body;
	from += body;
	for (i = 0; i < tail; i++)
		__raw_writeb(*(const u8 *)from++, to++);
	return head + body / win->write->width + tail;
}

/**
 * nvme_cmb_copy_zero - write zeros into the window
 * @win: the window
 * @pos: where to, a multiple of NVME_CMB_ACCESS; @pos + @len lies inside
 * @len: how much, a multiple of NVME_CMB_ACCESS; the CPU is held for as long
 *
 * The zeros have landed once nvme_cmb_ctrl_alive() says so.
 *
 * Context: any.
 * Return: how many accesses to the window it took.
 */
size_t nvme_cmb_copy_zero(const struct nvme_cmb_window *win, u64 pos,
			  size_t len)
{
	win->write->zero(win->base + pos, len);
	return len / NVME_CMB_ACCESS;
}
