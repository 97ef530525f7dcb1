// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every routine of copy.c, and the choice of measure.c, at every alignment and many
 * lengths, in memory that plays the window, with guard bytes around all that is copied.
 */
#include <kunit/test.h>
#include <linux/nvme.h>
#include <linux/random.h>

#include "../copy.c"
#include "../measure.c"

/* Every length below the first, then those around larger powers of two */
#define NVME_CMB_SHORT		320
static const unsigned int nvme_cmb_long[] = {
	511, 512, 513, 4095, 4096, 4097, 16383, 16384, 16385
};

#define NVME_CMB_LENGTHS	(NVME_CMB_SHORT + ARRAY_SIZE(nvme_cmb_long))
#define NVME_CMB_ALIGNMENTS	8
#define NVME_CMB_GUARD		64
#define NVME_CMB_AREA(len)	(NVME_CMB_GUARD + NVME_CMB_ALIGNMENTS + (len) + \
				 NVME_CMB_GUARD)
#define NVME_CMB_AREA_MAX	NVME_CMB_AREA(16385)
#define NVME_CMB_GUARD_BYTE	0xa5

struct nvme_cmb_copy_test {
	struct nvme_cmb_ctrl ctrl;
	struct nvme_cmb_window win;
	u8 *window;
	u8 *buffer;
	u8 *source;	/* what one of the two held at first, and has to keep */
	u8 *expected;	/* what the other has to hold */
};

static const struct nvme_cmb_kind nvme_cmb_copy_trapped = {};
static const struct nvme_cmb_kind nvme_cmb_copy_memory = { .memory = true };

/* The controller of a window in memory is as alive as its VS. */
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl)
{
	return ctrl->vs;
}

/* And has no configuration space. */
bool nvme_cmb_ctrl_lock_cfg(struct nvme_cmb_ctrl *ctrl)
{
	return false;
}

void nvme_cmb_ctrl_unlock_cfg(struct nvme_cmb_ctrl *ctrl, bool locked)
{
}

static unsigned int nvme_cmb_copy_length(int i)
{
	return i < NVME_CMB_SHORT ? i : nvme_cmb_long[i - NVME_CMB_SHORT];
}

/* Go there on foot: a word where one begins and there is one, a byte elsewhere. */
static size_t nvme_cmb_copy_accesses(size_t pos, size_t len, unsigned int width)
{
	size_t end = pos + len, accesses = 0;

	while (pos < end) {
		if (pos % NVME_CMB_ACCESS || end - pos < NVME_CMB_ACCESS) {
			pos++;
			accesses++;
		} else {
			pos += NVME_CMB_ACCESS;
			accesses += NVME_CMB_ACCESS / width;
		}
	}
	return accesses;
}

KUNIT_ARRAY_PARAM_DESC(nvme_cmb_copy, nvme_cmb_routines, name);

static int nvme_cmb_copy_init(struct kunit *test)
{
	struct nvme_cmb_copy_test *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	t->window = kunit_kmalloc(test, NVME_CMB_AREA_MAX, GFP_KERNEL);
	t->buffer = kunit_kmalloc(test, NVME_CMB_AREA_MAX, GFP_KERNEL);
	t->source = kunit_kmalloc(test, NVME_CMB_AREA_MAX, GFP_KERNEL);
	t->expected = kunit_kmalloc(test, NVME_CMB_AREA_MAX, GFP_KERNEL);
	if (!t->window || !t->buffer || !t->source || !t->expected)
		return -ENOMEM;

	t->ctrl.vs = NVME_VS(1, 4, 0);
	t->win.ctrl = &t->ctrl;
	t->win.kind = &nvme_cmb_copy_memory;
	t->win.base = (void __iomem __force *)t->window;
	t->win.read = test->param_value;
	t->win.write = test->param_value;
	test->priv = t;
	return 0;
}

/* What holds after a copy, beside the bytes themselves: the guards, the count */
static void nvme_cmb_copy_judge(struct kunit *test, const u8 *to, size_t pos,
				size_t at, size_t len, size_t accesses,
				unsigned int width)
{
	const struct nvme_cmb_copy_test *t = test->priv;

	KUNIT_ASSERT_EQ_MSG(test, 0,
			    memcmp(to, t->expected, NVME_CMB_AREA(len)),
			    "%zu bytes, window at %zu, buffer at %zu",
			    len, pos % NVME_CMB_ALIGNMENTS,
			    at % NVME_CMB_ALIGNMENTS);
	KUNIT_ASSERT_EQ_MSG(test, accesses,
			    nvme_cmb_copy_accesses(pos, len, width),
			    "%zu bytes, window at %zu", len,
			    pos % NVME_CMB_ALIGNMENTS);
}

static bool nvme_cmb_copy_try_from(struct kunit *test, size_t pos, size_t at,
				   size_t len)
{
	struct nvme_cmb_copy_test *t = test->priv;
	size_t accesses;

	memset(t->buffer, NVME_CMB_GUARD_BYTE, NVME_CMB_AREA(len));
	memset(t->expected, NVME_CMB_GUARD_BYTE, NVME_CMB_AREA(len));
	memcpy(t->expected + at, t->source + pos, len);
	accesses = nvme_cmb_copy_from(&t->win, t->buffer + at, pos, len);
	nvme_cmb_copy_judge(test, t->buffer, pos, at, len, accesses,
			    t->win.read->width);
	return true;
}

static bool nvme_cmb_copy_try_to(struct kunit *test, size_t pos, size_t at,
				 size_t len)
{
	struct nvme_cmb_copy_test *t = test->priv;
	size_t accesses;

	memset(t->window, NVME_CMB_GUARD_BYTE, NVME_CMB_AREA(len));
	memset(t->expected, NVME_CMB_GUARD_BYTE, NVME_CMB_AREA(len));
	memcpy(t->expected + pos, t->source + at, len);
	accesses = nvme_cmb_copy_to(&t->win, pos, t->buffer + at, len);
	nvme_cmb_copy_judge(test, t->window, pos, at, len, accesses,
			    t->win.write->width);
	return true;
}

static bool nvme_cmb_copy_try_zero(struct kunit *test, size_t pos, size_t at,
				   size_t len)
{
	struct nvme_cmb_copy_test *t = test->priv;
	size_t accesses;

	/* Nobody asks for anything but whole words, and there is no buffer. */
	if ((pos | len) % NVME_CMB_ACCESS || at != NVME_CMB_GUARD)
		return false;
	memset(t->window, NVME_CMB_GUARD_BYTE, NVME_CMB_AREA(len));
	memset(t->expected, NVME_CMB_GUARD_BYTE, NVME_CMB_AREA(len));
	memset(t->expected + pos, 0, len);
	accesses = nvme_cmb_copy_zero(&t->win, pos, len);
	nvme_cmb_copy_judge(test, t->window, pos, at, len, accesses,
			    NVME_CMB_ACCESS);
	return true;
}

static void nvme_cmb_copy_try_all(struct kunit *test, u8 *from,
				  bool (*try)(struct kunit *test, size_t pos,
					      size_t at, size_t len))
{
	struct nvme_cmb_copy_test *t = test->priv;
	size_t pos, at;
	int i, tried = 0;

	get_random_bytes(t->source, NVME_CMB_AREA_MAX);
	memcpy(from, t->source, NVME_CMB_AREA_MAX);
	for (pos = 0; pos < NVME_CMB_ALIGNMENTS; pos++)
		for (at = 0; at < NVME_CMB_ALIGNMENTS; at++) {
			for (i = 0; i < NVME_CMB_LENGTHS; i++)
				tried += try(test, NVME_CMB_GUARD + pos,
					     NVME_CMB_GUARD + at,
					     nvme_cmb_copy_length(i));
			cond_resched();
		}
	KUNIT_EXPECT_EQ(test, 0, memcmp(from, t->source, NVME_CMB_AREA_MAX));
	kunit_info(test, "%d copies\n", tried);
}

static void nvme_cmb_copy_reads(struct kunit *test)
{
	struct nvme_cmb_copy_test *t = test->priv;

	nvme_cmb_copy_try_all(test, t->window, nvme_cmb_copy_try_from);
}

static void nvme_cmb_copy_writes(struct kunit *test)
{
	struct nvme_cmb_copy_test *t = test->priv;

	nvme_cmb_copy_try_all(test, t->buffer, nvme_cmb_copy_try_to);
}

static void nvme_cmb_copy_zeroes(struct kunit *test)
{
	struct nvme_cmb_copy_test *t = test->priv;

	nvme_cmb_copy_try_all(test, t->buffer, nvme_cmb_copy_try_zero);
}

static void nvme_cmb_copy_is_found(struct kunit *test)
{
	const struct nvme_cmb_routine *routine = test->param_value;

	KUNIT_EXPECT_PTR_EQ(test, routine, nvme_cmb_copy_find(routine->name));
	KUNIT_EXPECT_PTR_EQ(test, NULL, nvme_cmb_copy_find(routine->name + 1));
	KUNIT_EXPECT_PTR_EQ(test, NULL, nvme_cmb_copy_find(""));
}

/* Choose among @only, or all, and leave every byte of the window what it was. */
static int nvme_cmb_copy_choose_in(struct kunit *test,
				   const struct nvme_cmb_routine *only)
{
	struct nvme_cmb_copy_test *t = test->priv;
	int ret;

	get_random_bytes(t->window, NVME_CMB_AREA_MAX);
	memcpy(t->source, t->window, NVME_CMB_AREA_MAX);
	ret = nvme_cmb_copy_choose(&t->win, only);
	KUNIT_EXPECT_EQ(test, 0, memcmp(t->window, t->source, NVME_CMB_AREA_MAX));
	return ret;
}

static void nvme_cmb_copy_is_chosen(struct kunit *test)
{
	struct nvme_cmb_copy_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, nvme_cmb_copy_choose_in(test, test->param_value));
	KUNIT_EXPECT_PTR_EQ(test, test->param_value, t->win.read);
	KUNIT_EXPECT_PTR_EQ(test, test->param_value, t->win.write);
	KUNIT_EXPECT_GT(test, t->win.chunk, 0);
	KUNIT_EXPECT_EQ(test, 0, t->win.chunk % NVME_CMB_ACCESS);
}

/* One that is for memory makes accesses as it likes: none for a trapped window. */
static void nvme_cmb_copy_is_chosen_where_it_fits(struct kunit *test)
{
	const struct nvme_cmb_routine *routine = test->param_value;
	struct nvme_cmb_copy_test *t = test->priv;

	t->win.kind = &nvme_cmb_copy_trapped;
	KUNIT_ASSERT_EQ(test, 0, nvme_cmb_copy_choose_in(test, routine));
	KUNIT_EXPECT_FALSE(test, t->win.read->memory || t->win.write->memory);
	if (!routine->memory) {
		KUNIT_EXPECT_PTR_EQ(test, routine, t->win.read);
		KUNIT_EXPECT_PTR_EQ(test, routine, t->win.write);
	}
	KUNIT_ASSERT_EQ(test, 0, nvme_cmb_copy_choose_in(test, NULL));
	KUNIT_EXPECT_FALSE(test, t->win.read->memory || t->win.write->memory);
}

static void nvme_cmb_copy_is_not_chosen_when_dead(struct kunit *test)
{
	struct nvme_cmb_copy_test *t = test->priv;

	t->ctrl.vs = 0;
	KUNIT_EXPECT_EQ(test, -EIO,
			nvme_cmb_copy_choose_in(test, test->param_value));
}

static struct kunit_case nvme_cmb_copy_tests[] = {
	KUNIT_CASE_PARAM(nvme_cmb_copy_reads, nvme_cmb_copy_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_copy_writes, nvme_cmb_copy_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_copy_zeroes, nvme_cmb_copy_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_copy_is_found, nvme_cmb_copy_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_copy_is_chosen, nvme_cmb_copy_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_copy_is_chosen_where_it_fits,
			 nvme_cmb_copy_gen_params),
	KUNIT_CASE_PARAM(nvme_cmb_copy_is_not_chosen_when_dead,
			 nvme_cmb_copy_gen_params),
	{}
};

static struct kunit_suite nvme_cmb_copy_suite = {
	.name		= "nvme_cmb_copy",
	.init		= nvme_cmb_copy_init,
	.test_cases	= nvme_cmb_copy_tests,
};

kunit_test_suites(&nvme_cmb_copy_suite);
