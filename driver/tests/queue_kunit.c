// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: where a pair of queues stands, at every size, for many rounds.
 */
#include <kunit/test.h>

#include "../queue.h"

#define NVME_CMB_RING_MAX	17
#define NVME_CMB_RING_ROUNDS	5

/*
 * What a controller does: it takes entries of the submission queue in turn, and fills those of
 * the completion queue.
 */
struct nvme_cmb_ring_model {
	u16 size;
	u16 sq_head;
	u16 cq_tail;
	bool phase;
	bool cq_phase[NVME_CMB_RING_MAX];	/* phase bit of each entry */
};

static void nvme_cmb_ring_model_complete(struct nvme_cmb_ring_model *model)
{
	model->sq_head = (model->sq_head + 1) % model->size;
	model->cq_phase[model->cq_tail] = model->phase;
	model->cq_tail = (model->cq_tail + 1) % model->size;
	if (!model->cq_tail)
		model->phase = !model->phase;
}

/* Fill the queue, let the controller complete @nr commands, and take the completions. */
static void nvme_cmb_ring_step(struct kunit *test, struct nvme_cmb_ring *ring,
			       struct nvme_cmb_ring_model *model,
			       unsigned int *pending, unsigned int nr)
{
	unsigned int i, taken = 0;

	while (!nvme_cmb_ring_full(ring)) {
		nvme_cmb_ring_submit(ring);
		(*pending)++;
	}
	/* One entry stays empty. */
	KUNIT_ASSERT_EQ(test, *pending, model->size - 1);
	for (i = 0; i < nr; i++)
		nvme_cmb_ring_model_complete(model);
	while (model->cq_phase[ring->head] == ring->phase) {
		nvme_cmb_ring_complete(ring, model->sq_head);
		(*pending)--;
		taken++;
	}
	KUNIT_ASSERT_EQ(test, taken, nr);
	KUNIT_ASSERT_EQ(test, ring->head, model->cq_tail);
}

static void nvme_cmb_ring_test(struct kunit *test)
{
	unsigned int size, nr, i, pending, steps = 0;
	struct nvme_cmb_ring_model model;
	struct nvme_cmb_ring ring;

	for (size = 2; size <= NVME_CMB_RING_MAX; size++)
		for (nr = 1; nr < size; nr++) {
			nvme_cmb_ring_init(&ring, size);
			model = (struct nvme_cmb_ring_model) { .size = size, .phase = true };
			pending = 0;
			for (i = 0; i < NVME_CMB_RING_ROUNDS * size; i++, steps++)
				nvme_cmb_ring_step(test, &ring, &model, &pending, nr);
		}
	kunit_info(test, "%u steps\n", steps);
}

/* The register is written if, and only if, the shadow passes the event, also where it wraps. */
static void nvme_cmb_doorbell_test(struct kunit *test)
{
	static const u16 olds[] = { 0, 1, 127, 32767, 32768, 65530, 65535 };
	unsigned int i, step, event;
	bool due;

	for (i = 0; i < ARRAY_SIZE(olds); i++)
		for (step = 1; step <= 8; step++)
			for (event = 0; event < 0x10000; event++) {
				due = (u16)(event - olds[i]) < step;
				KUNIT_ASSERT_EQ(test, due,
						nvme_cmb_doorbell_due(event, olds[i],
								      olds[i] + step));
			}
}

static struct kunit_case nvme_cmb_queue_cases[] = {
	KUNIT_CASE(nvme_cmb_ring_test),
	KUNIT_CASE(nvme_cmb_doorbell_test),
	{}
};

static struct kunit_suite nvme_cmb_queue_suite = {
	.name		= "nvme_cmb_queue",
	.test_cases	= nvme_cmb_queue_cases,
};

kunit_test_suites(&nvme_cmb_queue_suite);
