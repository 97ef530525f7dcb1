// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CMBLOC and CMBSZ may say, or PMRCAP and PMRSTS, and what must come of it.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "../compat.h"
#include "../regs.c"

#define NVME_CMB_RANDOM_PAIRS	100000

static unsigned long long seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "of the random registers (default 0: another each time)");

static const struct nvme_cmb_regs_case {
	const char *name;
	u32 cmbloc;
	u32 cmbsz;
	u64 bar_len;
	const char *wrong;
	struct nvme_cmb_geometry geo;
} nvme_cmb_regs_cases[] = {
	/* CMBSZ.SZU and CMBSZ.SZ */
	{ "16 MiB as QEMU has it", 0x00000062, 0x0001021d, 0x1000000, NULL,
	  { 2, 0, 0x1000000 } },
	{ "SZU of 4 KiB", 0x00000002, 0x00001000, 0x1000, NULL,
	  { 2, 0, 0x1000 } },
	{ "SZU of 64 KiB", 0x00000002, 0x00001100, 0x10000, NULL,
	  { 2, 0, 0x10000 } },
	{ "SZU of 1 MiB", 0x00000002, 0x00001200, 0x100000, NULL,
	  { 2, 0, 0x100000 } },
	{ "SZU of 16 MiB", 0x00000002, 0x00001300, 0x1000000, NULL,
	  { 2, 0, 0x1000000 } },
	{ "SZU of 256 MiB", 0x00000002, 0x00001400, 0x10000000, NULL,
	  { 2, 0, 0x10000000 } },
	{ "SZU of 4 GiB", 0x00000002, 0x00001500, 0x100000000, NULL,
	  { 2, 0, 0x100000000 } },
	{ "SZU of 64 GiB", 0x00000002, 0x00001600, 0x1000000000, NULL,
	  { 2, 0, 0x1000000000 } },
	{ "SZU above the last", 0x00000002, 0x00001700, U64_MAX,
	  "CMBSZ.SZU is reserved" },
	{ "SZU of all-ones", 0x00000002, 0x00001f00, U64_MAX,
	  "CMBSZ.SZU is reserved" },
	{ "SZ of 0", 0x00000002, 0x00000fff, U64_MAX,
	  "CMBSZ.SZ is 0" },
	{ "registers of all-ones", 0xffffffff, 0xffffffff, U64_MAX,
	  "CMBSZ.SZU is reserved" },
	{ "registers of all-zeros", 0x00000000, 0x00000000, U64_MAX,
	  "CMBSZ.SZ is 0" },
	{ "bits that mean something else", 0x00000ffa, 0x000010ff, 0x1000, NULL,
	  { 2, 0, 0x1000 } },

	/* CMBLOC.OFST counts in units of SZU, too */
	{ "OFST in units of 4 KiB", 0x00003004, 0x00002000, 0x100000, NULL,
	  { 4, 0x3000, 0x2000 } },
	{ "OFST in units of 1 MiB", 0x00003004, 0x00001200, 0x400000, NULL,
	  { 4, 0x300000, 0x100000 } },
	{ "most there can be", 0xfffff002, 0xfffff600, U64_MAX, NULL,
	  { 2, 0xfffff000000000, 0xfffff000000000 } },

	/* CMBLOC.BIR */
	{ "BIR 0, on the registers", 0x00000000, 0x00001000, 0x4000,
	  "CMBLOC.OFST lies on the registers in BAR 0" },
	{ "BIR 0, on the doorbells", 0x00001000, 0x00001000, 0x4000,
	  "CMBLOC.OFST lies on the registers in BAR 0" },
	{ "BIR 0, beyond the doorbells", 0x00002000, 0x00001000, 0x4000, NULL,
	  { 0, 0x2000, 0x1000 } },
	{ "BIR 1", 0x00002001, 0x00001000, 0x4000, "CMBLOC.BIR is reserved" },
	{ "BIR 3", 0x00000003, 0x00001000, 0x4000, NULL, { 3, 0, 0x1000 } },
	{ "BIR 5", 0x00000005, 0x00001000, 0x4000, NULL, { 5, 0, 0x1000 } },
	{ "BIR 6", 0x00002006, 0x00001000, 0x4000, "CMBLOC.BIR is reserved" },
	{ "BIR 7", 0x00002007, 0x00001000, 0x4000, "CMBLOC.BIR is reserved" },

	/* The BAR */
	{ "no memory BAR", 0x00000002, 0x00001000, 0,
	  "BIR names no memory BAR" },
	{ "BAR ends where the CMB begins", 0x00001002, 0x00001000, 0x1000,
	  "OFST lies beyond the BAR" },
	{ "BAR ends long before", 0xfffff002, 0x00001600, 0x1000,
	  "OFST lies beyond the BAR" },
	{ "one byte in the BAR", 0x00001002, 0x00001000, 0x1001,
	  "less than 4 KiB of it lies in the BAR" },
	{ "4095 bytes in the BAR", 0x00000002, 0x00001000, 0xfff,
	  "less than 4 KiB of it lies in the BAR" },
	{ "4096 bytes in the BAR", 0x00001002, 0x00002000, 0x2000, NULL,
	  { 2, 0x1000, 0x1000 } },
	{ "4097 bytes in the BAR", 0x00001002, 0x00002000, 0x2001, NULL,
	  { 2, 0x1000, 0x1000 } },
	{ "CMB larger than its BAR", 0x00000002, 0xfffff600, 0x100000, NULL,
	  { 2, 0, 0x100000 } },
	{ "BAR larger than the CMB", 0x00000002, 0x00003000, U64_MAX, NULL,
	  { 2, 0, 0x3000 } },
};

KUNIT_ARRAY_PARAM_DESC(nvme_cmb_regs, nvme_cmb_regs_cases, name);

static const char *nvme_cmb_regs_read(u32 cmbloc, u32 cmbsz, u64 bar_len,
				      struct nvme_cmb_geometry *geo)
{
	const char *wrong = nvme_cmb_decode(cmbloc, cmbsz, geo);

	return wrong ?: nvme_cmb_clamp(geo, bar_len);
}

static void nvme_cmb_regs_mean(struct kunit *test)
{
	const struct nvme_cmb_regs_case *c = test->param_value;
	struct nvme_cmb_geometry geo;
	const char *wrong;

	wrong = nvme_cmb_regs_read(c->cmbloc, c->cmbsz, c->bar_len, &geo);
	KUNIT_ASSERT_STREQ(test, wrong ?: "nothing", c->wrong ?: "nothing");
	if (wrong)
		return;
	KUNIT_EXPECT_EQ(test, geo.bir, c->geo.bir);
	KUNIT_EXPECT_EQ(test, geo.offset, c->geo.offset);
	KUNIT_EXPECT_EQ(test, geo.size, c->geo.size);
}

/*
 * The specification once more, and in other words than the driver's: by counting
 * blocks of 4 KiB, of which even 2^44 leave 64 bits room to spare.
 */
static bool nvme_cmb_regs_usable(u32 cmbloc, u32 cmbsz, u64 bar_len,
				 struct nvme_cmb_geometry *geo)
{
	static const u32 unit[] = { 1, 16, 256, 4096, 65536, 1048576, 16777216 };
	u32 szu = cmbsz / 256 % 16;
	u64 first, blocks, bar_blocks = bar_len / 4096;

	geo->bir = cmbloc % 8;
	if (szu >= ARRAY_SIZE(unit))
		return false;
	first = (u64)(cmbloc / 4096) * unit[szu];
	blocks = (u64)(cmbsz / 4096) * unit[szu];
	if (geo->bir == 0 && first < 2)
		return false;

	if (geo->bir == 1 || geo->bir == 6 || geo->bir == 7)
		return false;
	if (first >= bar_blocks)
		return false;
	if (blocks > bar_blocks - first)
		blocks = bar_blocks - first;
	geo->offset = first * 4096;
	geo->size = blocks * 4096;
	return blocks > 0;
}

/* Inside its BAR, above all else and whatever @want may say */
static const char *nvme_cmb_regs_broken(const struct nvme_cmb_geometry *geo,
					const struct nvme_cmb_geometry *want,
					u64 bar_len)
{
	if (geo->offset >= bar_len)
		return "begins outside its BAR";
	if (geo->size > bar_len - geo->offset)
		return "ends outside its BAR";
	if (!geo->size || geo->size % 4096)
		return "is not made of blocks";
	if (geo->bir != want->bir || geo->offset != want->offset)
		return "is elsewhere";
	if (geo->size != want->size)
		return "is larger or smaller";
	return NULL;
}

/* Return: the size of the window accepted, or 0. */
static u64 nvme_cmb_regs_judge(struct kunit *test, u32 cmbloc, u32 cmbsz,
			       u64 bar_len)
{
	struct nvme_cmb_geometry geo, want;
	bool usable = nvme_cmb_regs_usable(cmbloc, cmbsz, bar_len, &want);
	const char *wrong = nvme_cmb_regs_read(cmbloc, cmbsz, bar_len, &geo);
	const char *broken = NULL;

	if (usable == !!wrong)
		broken = wrong ?: "is not usable";
	else if (usable)
		broken = nvme_cmb_regs_broken(&geo, &want, bar_len);
	KUNIT_ASSERT_TRUE_MSG(test, !broken,
			      "CMBLOC 0x%08x, CMBSZ 0x%08x, BAR of 0x%llx: %s\n",
			      cmbloc, cmbsz, bar_len, broken);
	return usable ? geo.size : 0;
}

/* BARs that end around 0, around 2^64, and where the CMB begins and ends */
static int nvme_cmb_regs_judge_bars(struct kunit *test, u32 cmbloc, u32 cmbsz)
{
	static const u64 beyond[] = { 0, 1, 4095, 4096, 4097, 8192 };
	u64 unit = 4096ULL << 4 * min(cmbsz / 256 % 16, 6U);
	u64 first = unit * (cmbloc / 4096);
	u64 end = first + unit * (cmbsz / 4096);
	int i, judged = 0;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		nvme_cmb_regs_judge(test, cmbloc, cmbsz, beyond[i]);
		nvme_cmb_regs_judge(test, cmbloc, cmbsz, first + beyond[i]);
		nvme_cmb_regs_judge(test, cmbloc, cmbsz, first - beyond[i]);
		nvme_cmb_regs_judge(test, cmbloc, cmbsz, end + beyond[i]);
		nvme_cmb_regs_judge(test, cmbloc, cmbsz, end - beyond[i]);
		judged += 5;
	}
	return judged;
}

static void nvme_cmb_regs_every_boundary(struct kunit *test)
{
	static const u32 counts[] = { 0, 1, 2, 3, 0x7ffff, 0xffffe, 0xfffff };
	int bir, szu, ofst, sz, judged = 0;

	for (bir = 0; bir < 8; bir++)
		for (szu = 0; szu < 16; szu++)
			for (ofst = 0; ofst < ARRAY_SIZE(counts); ofst++)
				for (sz = 0; sz < ARRAY_SIZE(counts); sz++)
					judged += nvme_cmb_regs_judge_bars(test,
						counts[ofst] << 12 | bir,
						counts[sz] << 12 | szu << 8);
	kunit_info(test, "%d combinations\n", judged);
}

/* The upper 20 bits are a count of any magnitude, the others are what they are. */
static u32 nvme_cmb_regs_random(struct rnd_state *rnd)
{
	u32 count = prandom_u32_state(rnd) >> (12 + prandom_u32_state(rnd) % 20);

	return count << 12 | (prandom_u32_state(rnd) & 0xfff);
}

static u64 nvme_cmb_bar_random(struct rnd_state *rnd)
{
	u64 len = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
	unsigned int shift = prandom_u32_state(rnd) % 64;

	/* A BAR's length is a power of two; nothing here relies on that. */
	return prandom_u32_state(rnd) % 2 ? 1ULL << shift : len >> shift;
}

static void nvme_cmb_regs_random_pairs(struct kunit *test)
{
	u64 from = seed ?: get_random_u64();
	int i, accepted = 0, cut = 0;
	struct rnd_state rnd;

	kunit_info(test, "seed=%llu\n", from);
	prandom_seed_state(&rnd, from);
	for (i = 0; i < NVME_CMB_RANDOM_PAIRS; i++) {
		u32 cmbloc = nvme_cmb_regs_random(&rnd);
		u32 cmbsz = nvme_cmb_regs_random(&rnd);
		u64 size = nvme_cmb_regs_judge(test, cmbloc, cmbsz,
					       nvme_cmb_bar_random(&rnd));

		accepted += size > 0;
		cut += size > 0 && size / 4096 % (cmbsz / 4096);
	}
	kunit_info(test, "%d of %d pairs accepted, %d of them cut to the BAR\n",
		   accepted, NVME_CMB_RANDOM_PAIRS, cut);

	/* What was never accepted was never outside, but that would prove little. */
	KUNIT_EXPECT_GT(test, accepted, NVME_CMB_RANDOM_PAIRS / 100);
	KUNIT_EXPECT_GT(test, cut, NVME_CMB_RANDOM_PAIRS / 1000);
}

static const struct nvme_cmb_pmrcap_case {
	const char *name;
	u32 pmrcap;
	const char *wrong;
	unsigned int bir;
	unsigned int timeout_ms;
	bool flushes;
} nvme_cmb_pmrcap_cases[] = {
	{ "as QEMU has it", 0x01000898, NULL, 4, 500, true },
	{ "BIR 0", 0x00000818, "PMRCAP.BIR is reserved" },
	{ "BIR 1", 0x00000838, "PMRCAP.BIR is reserved" },
	{ "BIR 2", 0x00000858, NULL, 2, 500, true },
	{ "BIR 3", 0x00000878, NULL, 3, 500, true },
	{ "BIR 5", 0x000008b8, NULL, 5, 500, true },
	{ "BIR 6", 0x000008d8, "PMRCAP.BIR is reserved" },
	{ "BIR 7", 0x000008f8, "PMRCAP.BIR is reserved" },
	{ "PMRTU of 500 ms, PMRTO of 1", 0x00010898, NULL, 4, 500, true },
	{ "PMRTU of 500 ms, PMRTO of 255", 0x00ff0898, NULL, 4, 127500, true },
	{ "PMRTU of a minute, PMRTO of 0", 0x00000998, NULL, 4, 60000, true },
	{ "PMRTU of a minute, PMRTO of 255", 0x00ff0998, NULL, 4, 15300000, true },
	{ "PMRTU of 2", 0x00000a98, "PMRCAP.PMRTU is reserved" },
	{ "PMRTU of 3", 0x00000b98, "PMRCAP.PMRTU is reserved" },
	{ "PMRWBM of nothing", 0x00000098, NULL, 4, 500, false },
	{ "PMRWBM of a read", 0x00000498, NULL, 4, 500, true },
	{ "PMRWBM of both", 0x00000c98, NULL, 4, 500, true },
	{ "PMRWBM reserved", 0x00003098, NULL, 4, 500, false },
	{ "all-zeros", 0x00000000, "PMRCAP.BIR is reserved" },
	{ "all-ones", 0xffffffff, "PMRCAP.BIR is reserved" },
};

KUNIT_ARRAY_PARAM_DESC(nvme_cmb_pmrcap, nvme_cmb_pmrcap_cases, name);

static void nvme_cmb_pmrcap_means(struct kunit *test)
{
	const struct nvme_cmb_pmrcap_case *c = test->param_value;
	struct nvme_cmb_geometry geo;
	const char *wrong = nvme_cmb_decode_pmr(c->pmrcap, &geo);

	KUNIT_ASSERT_STREQ(test, wrong ?: "nothing", c->wrong ?: "nothing");
	if (wrong)
		return;
	KUNIT_EXPECT_EQ(test, geo.bir, c->bir);
	KUNIT_EXPECT_EQ(test, nvme_cmb_pmr_timeout_ms(c->pmrcap), c->timeout_ms);
	KUNIT_EXPECT_EQ(test, nvme_cmb_pmr_flushes(c->pmrcap), c->flushes);

	/* It is all of its BAR. */
	KUNIT_EXPECT_NULL(test, nvme_cmb_clamp(&geo, SZ_16M + 1));
	KUNIT_EXPECT_EQ(test, geo.offset, 0);
	KUNIT_EXPECT_EQ(test, geo.size, SZ_16M);
}

static const struct nvme_cmb_pmrsts_case {
	const char *name;
	u32 pmrsts;
	const char *wrong;
	bool read_only;
} nvme_cmb_pmrsts_cases[] = {
	{ "all is well", 0x000, NULL, false },
	{ "ERR, its lowest bit", 0x001, "PMRSTS.ERR: something failed", false },
	{ "ERR, its highest bit", 0x080, "PMRSTS.ERR: something failed", false },
	{ "ERR and HSTS", 0x201, "PMRSTS.ERR: something failed", false },
	{ "NRDY", 0x100, "PMRSTS.NRDY: not ready", false },
	{ "NRDY and HSTS", 0x500, "PMRSTS.NRDY: not ready", false },
	{ "HSTS of 1", 0x200,
	  "PMRSTS.HSTS: what was in it could not be restored in full", true },
	{ "HSTS of 2", 0x400, "PMRSTS.HSTS: it is read-only", true },
	{ "HSTS of 3", 0x600, "PMRSTS.HSTS: it has become unreliable", false },
	{ "HSTS of 4", 0x800, "PMRSTS.HSTS is reserved", false },
	{ "HSTS of 7", 0xe00, "PMRSTS.HSTS is reserved", false },
	{ "bits that mean something else", 0xfffff000, NULL, false },
	{ "all-ones", 0xffffffff, "PMRSTS.NRDY: not ready", false },
};

KUNIT_ARRAY_PARAM_DESC(nvme_cmb_pmrsts, nvme_cmb_pmrsts_cases, name);

static void nvme_cmb_pmrsts_means(struct kunit *test)
{
	const struct nvme_cmb_pmrsts_case *c = test->param_value;
	bool read_only = !c->read_only;
	const char *wrong = nvme_cmb_decode_pmrsts(c->pmrsts, &read_only);

	KUNIT_EXPECT_STREQ(test, wrong ?: "nothing", c->wrong ?: "nothing");
	KUNIT_EXPECT_EQ(test, read_only, c->read_only);
}

static struct kunit_case nvme_cmb_regs_tests[] = {
	KUNIT_CASE_PARAM(nvme_cmb_regs_mean, nvme_cmb_regs_gen_params),
	KUNIT_CASE(nvme_cmb_regs_every_boundary),
	KUNIT_CASE(nvme_cmb_regs_random_pairs),
	KUNIT_CASE_PARAM(nvme_cmb_pmrcap_means, nvme_cmb_pmrcap_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_pmrsts_means, nvme_cmb_pmrsts_gen_params),
	{}
};

static struct kunit_suite nvme_cmb_regs_suite = {
	.name		= "nvme_cmb_regs",
	.test_cases	= nvme_cmb_regs_tests,
};

kunit_test_suites(&nvme_cmb_regs_suite);

MODULE_DESCRIPTION("KUnit tests of nvme_cmb");
MODULE_LICENSE("GPL");
