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
 * nvme_cmb_ctrl_alive() after each chunk orders the whole.
 */
#include <linux/io.h>
#include <linux/string.h>

#include "memory.h"

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
 * In a binary translator the jump at the end of a loop costs as much as two accesses that
 * are not trapped. For a PMR that is a lot, so this loop jumps an eighth as often.
 */
#define NVME_CMB_UNROLL_LEN	(8 * NVME_CMB_ACCESS)

static void nvme_cmb_unrolled_read(void *to, const void __iomem *from,
				   size_t len)
{
	size_t i;

	for (; len >= NVME_CMB_UNROLL_LEN; len -= NVME_CMB_UNROLL_LEN) {
#pragma GCC unroll 8
		for (i = 0; i < NVME_CMB_UNROLL_LEN; i += NVME_CMB_ACCESS)
			put_unaligned(__raw_readq(from + i), (u64 *)(to + i));
		to += NVME_CMB_UNROLL_LEN;
		from += NVME_CMB_UNROLL_LEN;
	}
	nvme_cmb_loop_read(to, from, len);
}

static void nvme_cmb_unrolled_write(void __iomem *to, const void *from,
				    size_t len)
{
	size_t i;

	for (; len >= NVME_CMB_UNROLL_LEN; len -= NVME_CMB_UNROLL_LEN) {
#pragma GCC unroll 8
		for (i = 0; i < NVME_CMB_UNROLL_LEN; i += NVME_CMB_ACCESS)
			__raw_writeq(get_unaligned((const u64 *)(from + i)),
				     to + i);
		to += NVME_CMB_UNROLL_LEN;
		from += NVME_CMB_UNROLL_LEN;
	}
	nvme_cmb_loop_write(to, from, len);
}

#ifdef CONFIG_X86_64
/*
 * A binary translator makes a block of its own of a string instruction. Newer QEMUs
 * translate a block again if an access to a device is in the middle of it, which makes a
 * plain loop three times as dear.
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

const struct nvme_cmb_routine nvme_cmb_routines[] = {
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

const unsigned int nvme_cmb_nr_routines = ARRAY_SIZE(nvme_cmb_routines);

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
