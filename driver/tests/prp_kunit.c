// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRP entries, read as a controller reads them: from a command back to the bytes that they
 * stand for.
 */
#include <kunit/test.h>

#include "../compat.h"
#include "../prp.c"

#define NVME_CMB_PRP_LIST_DMA	0x7654321000000ULL
#define NVME_CMB_PRP_MIN_SHIFT	12	/* CC.MPS of 0 */
#define NVME_CMB_PRP_MAX_SHIFT	16

struct nvme_cmb_prp_test {
	unsigned int shift;
	__le64 *list;
	struct nvme_cmb_prps prps;
	struct nvme_command cmd;
};

static void nvme_cmb_prp_start(struct kunit *test, struct nvme_cmb_prp_test *t,
			       unsigned int shift)
{
	t->shift = shift;
	t->list = kunit_kzalloc(test, 1 << shift, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->list);
	nvme_cmb_prps_init(&t->prps, shift, t->list, NVME_CMB_PRP_LIST_DMA);
}

/* The address of the byte at @pos of a command of @len bytes, as the specification has it */
static u64 nvme_cmb_prp_at(struct kunit *test, struct nvme_cmb_prp_test *t,
			   size_t pos, size_t len)
{
	u64 page = 1ULL << t->shift;
	u64 prp1 = le64_to_cpu(t->cmd.common.dptr.prp1);
	u64 prp2 = le64_to_cpu(t->cmd.common.dptr.prp2);
	size_t head = page - (prp1 & (page - 1));
	size_t entry;

	if (pos < head)
		return prp1 + pos;
	pos -= head;
	if (len - head <= page) {
		KUNIT_ASSERT_EQ(test, prp2 & (page - 1), 0);
		return prp2 + pos;
	}
	KUNIT_ASSERT_EQ(test, prp2, NVME_CMB_PRP_LIST_DMA);
	entry = pos >> t->shift;
	KUNIT_ASSERT_LT(test, entry, page / sizeof(__le64));
	KUNIT_ASSERT_EQ(test, le64_to_cpu(t->list[entry]) & (page - 1), 0);
	return le64_to_cpu(t->list[entry]) + (pos & (page - 1));
}

/* The first and the last byte of each page that a segment touches */
static void nvme_cmb_prp_expect(struct kunit *test, struct nvme_cmb_prp_test *t,
				size_t pos, u64 addr, size_t seg, size_t len)
{
	u64 page = 1ULL << t->shift;
	size_t done, part;

	for (done = 0; done < seg; done += part) {
		part = min_t(u64, seg - done, page - ((addr + done) & (page - 1)));
		KUNIT_ASSERT_EQ(test, nvme_cmb_prp_at(test, t, pos + done, len),
				addr + done);
		KUNIT_ASSERT_EQ(test,
				nvme_cmb_prp_at(test, t, pos + done + part - 1, len),
				addr + done + part - 1);
	}
}

/* One run of bytes, at many multiples of four in a page, of lengths around all limits */
static void nvme_cmb_prp_run_test(struct kunit *test)
{
	static const int around[] = { -4096, -512, -4, 0, 4, 512, 4096 };
	unsigned int shift, pages, i;
	u64 offset, addr;
	s64 len;

	for (shift = NVME_CMB_PRP_MIN_SHIFT; shift <= NVME_CMB_PRP_MAX_SHIFT; shift++) {
		struct nvme_cmb_prp_test t;
		unsigned int max = (1U << shift) / sizeof(__le64) + 1;

		nvme_cmb_prp_start(test, &t, shift);
		for (offset = 0; offset < 1ULL << shift;
		     offset += 4 << 2 * (shift - NVME_CMB_PRP_MIN_SHIFT))
			for (pages = 0; pages < 5; pages++)
				for (i = 0; i < ARRAY_SIZE(around); i++) {
					len = ((s64)pages << shift) + around[i];
					if (len <= 0)
						continue;
					addr = 0x123450000000ULL + offset;
					nvme_cmb_prps_init(&t.prps, shift, t.list,
							   NVME_CMB_PRP_LIST_DMA);
					KUNIT_ASSERT_EQ(test, 0,
							nvme_cmb_prps_add(&t.prps, addr, len));
					nvme_cmb_prps_set(&t.prps, &t.cmd);
					nvme_cmb_prp_expect(test, &t, 0, addr, len, len);
				}

		/* As many as a list takes, with and without an offset, and a byte more */
		for (offset = 0; offset < 1ULL << shift; offset += 512) {
			len = ((s64)max << shift) - offset;
			addr = 0x123450000000ULL + offset;
			nvme_cmb_prps_init(&t.prps, shift, t.list, NVME_CMB_PRP_LIST_DMA);
			KUNIT_ASSERT_EQ(test, 0, nvme_cmb_prps_add(&t.prps, addr, len));
			KUNIT_ASSERT_EQ(test, t.prps.nr, max);
			nvme_cmb_prps_set(&t.prps, &t.cmd);
			nvme_cmb_prp_expect(test, &t, 0, addr, len, len);
			nvme_cmb_prps_init(&t.prps, shift, t.list, NVME_CMB_PRP_LIST_DMA);
			KUNIT_ASSERT_EQ(test, -E2BIG,
					nvme_cmb_prps_add(&t.prps, addr, len + 1));
		}
	}
}

/* Two segments: which pairs of ends can be told, and what is told of them */
static void nvme_cmb_prp_segments_test(struct kunit *test)
{
	static const unsigned int cuts[] = { 0, 4, 512, 2048, 4092, 4096, 8192, 61440 };
	unsigned int shift, from, end, begin;
	unsigned int told = 0, refused = 0;

	for (shift = NVME_CMB_PRP_MIN_SHIFT; shift <= NVME_CMB_PRP_MAX_SHIFT; shift++) {
		struct nvme_cmb_prp_test t;
		u64 mask = (1ULL << shift) - 1;

		nvme_cmb_prp_start(test, &t, shift);
		for (from = 0; from < ARRAY_SIZE(cuts); from++)
			for (end = 0; end < ARRAY_SIZE(cuts); end++)
				for (begin = 0; begin <= ARRAY_SIZE(cuts); begin++) {
					u64 one = 0x100000000ULL + cuts[from];
					size_t one_len = (2 << shift) + cuts[end];
					/* the last follows the first without a gap */
					u64 two = begin < ARRAY_SIZE(cuts) ?
						  0x200000000ULL + cuts[begin] :
						  one + one_len;
					size_t two_len = (1 << shift) + 512;
					bool can = two == one + one_len ||
						   !((one + one_len) & mask || two & mask);
					int ret;

					nvme_cmb_prps_init(&t.prps, shift, t.list,
							   NVME_CMB_PRP_LIST_DMA);
					KUNIT_ASSERT_EQ(test, 0,
							nvme_cmb_prps_add(&t.prps, one,
									  one_len));
					ret = nvme_cmb_prps_add(&t.prps, two, two_len);
					KUNIT_ASSERT_EQ(test, ret, can ? 0 : -EINVAL);
					if (!can) {
						refused++;
						continue;
					}
					told++;
					nvme_cmb_prps_set(&t.prps, &t.cmd);
					nvme_cmb_prp_expect(test, &t, 0, one, one_len,
							    one_len + two_len);
					nvme_cmb_prp_expect(test, &t, one_len, two, two_len,
							    one_len + two_len);
				}
	}
	kunit_info(test, "%u pairs of segments told, %u refused\n", told, refused);
	KUNIT_EXPECT_GT(test, told, 0);
	KUNIT_EXPECT_GT(test, refused, 0);
}

/* PRP1 is a multiple of four. */
static void nvme_cmb_prp_alignment_test(struct kunit *test)
{
	struct nvme_cmb_prp_test t;
	unsigned int offset;

	nvme_cmb_prp_start(test, &t, NVME_CMB_PRP_MIN_SHIFT);
	for (offset = 0; offset < 16; offset++) {
		nvme_cmb_prps_init(&t.prps, t.shift, t.list, NVME_CMB_PRP_LIST_DMA);
		KUNIT_EXPECT_EQ(test, offset % 4 ? -EINVAL : 0,
				nvme_cmb_prps_add(&t.prps, 0x1000 + offset, 512));
	}
}

static struct kunit_case nvme_cmb_prp_cases[] = {
	KUNIT_CASE(nvme_cmb_prp_run_test),
	KUNIT_CASE(nvme_cmb_prp_segments_test),
	KUNIT_CASE(nvme_cmb_prp_alignment_test),
	{}
};

static struct kunit_suite nvme_cmb_prp_suite = {
	.name		= "nvme_cmb_prp",
	.test_cases	= nvme_cmb_prp_cases,
};

kunit_test_suites(&nvme_cmb_prp_suite);
