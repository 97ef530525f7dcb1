// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether staged copies work, and from which size on they are faster than the CPU's.
 */
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "admin.h"
#include "prp.h"
#include "staged.h"

/* What is short for a measurement: a multiple of every block size */
#define NVME_CMB_STAGED_SHORT_LEN	SZ_4K

/* How often a copy is measured, or tried */
#define NVME_CMB_STAGED_ROUNDS		16

/**
 * nvme_cmb_staging_rw - one command on scratch blocks, and wait for it
 * @staging: the scratch namespace
 * @opcode: nvme_cmd_read or nvme_cmd_write
 * @slba: first of the blocks
 * @addr: address of the data for the controller
 * @len: bytes, a multiple of the block, within a slot
 *
 * Context: may sleep. The caller has the controller's mutex.
 * Return: 0; a status of the controller's, or an errno.
 */
int nvme_cmb_staging_rw(struct nvme_cmb_staging *staging, u8 opcode, u64 slba,
			u64 addr, size_t len)
{
	unsigned int page_shift = staging->ctrl->page_shift;
	struct nvme_cmb_prps prps;
	struct nvme_command sqe;
	dma_addr_t list_dma;
	__le64 *list;
	int ret;

	list = dma_pool_alloc(staging->pool, GFP_KERNEL, &list_dma);
	if (!list)
		return -ENOMEM;
	nvme_cmb_prps_init(&prps, page_shift, list, list_dma);
	ret = nvme_cmb_prps_add(&prps, addr, len);
	if (!ret) {
		nvme_cmb_staging_set_rw(staging, &sqe, opcode, slba, len, &prps);
		ret = nvme_cmb_cmd_sync(staging->ctrl, 1, &sqe, NULL);
	}
	dma_pool_free(staging->pool, list, list_dma);
	return ret;
}

/* Put back what was in the CMB before a test. */
static int nvme_cmb_staging_put_back(const struct nvme_cmb_window *win, u64 pos,
				     const char *kept, char *buf, size_t len)
{
	unsigned int i;

	for (i = 0; i < NVME_CMB_STAGED_ROUNDS; i++) {
		nvme_cmb_copy_to(win, pos, kept, len);
		nvme_cmb_copy_from(win, buf, pos, len);
		if (nvme_cmb_ctrl_alive(win->ctrl) && !memcmp(buf, kept, len))
			return 0;
	}
	return -EIO;
}

/**
 * nvme_cmb_staging_test - does the controller move bytes to and from its CMB?
 * @staging: the scratch namespace; nobody uses the CMB
 * @buf: of @staging->buf_len
 * @dma: its address for the controller
 *
 * A controller with another idea of where its CMB is moves nothing, and reports success. So a
 * pattern is moved in each direction that the CMB allows, and compared, at the end of the CMB,
 * by commands that have a list of PRP entries. Then what was there is put back.
 *
 * Context: may sleep. The caller has the controller's mutex.
 * Return: 0, -EILSEQ if it does not, or another errno.
 */
int nvme_cmb_staging_test(struct nvme_cmb_staging *staging, char *buf,
			  dma_addr_t dma)
{
	const struct nvme_cmb_window *win = staging->win;
	u64 pos = win->geo.size - staging->buf_len;
	size_t len = staging->buf_len;
	char *kept, *pattern;
	int ret = -ENOMEM;

	kept = kvmalloc(2 * len, GFP_KERNEL);
	if (!kept)
		return ret;
	pattern = kept + len;
	ret = nvme_cmb_copy_snapshot(win, kept, pos, len);
	if (ret)
		goto out_free;

	if (staging->can[WRITE]) {
		get_random_bytes(pattern, len);
		memcpy(buf, pattern, len);
		ret = nvme_cmb_staging_rw(staging, nvme_cmd_write, 0, dma, len);
		if (!ret)
			ret = nvme_cmb_staging_rw(staging, nvme_cmd_read, 0,
						  staging->bus + pos, len);
		memset(buf, 0, len);
		nvme_cmb_copy_from(win, buf, pos, len);
		if (!ret && memcmp(buf, pattern, len))
			ret = -EILSEQ;
	}
	if (!ret && staging->can[READ]) {
		get_random_bytes(pattern, len);
		nvme_cmb_copy_to(win, pos, pattern, len);
		ret = nvme_cmb_staging_rw(staging, nvme_cmd_write, 0,
					  staging->bus + pos, len);
		if (!ret)
			ret = nvme_cmb_staging_rw(staging, nvme_cmd_read, 0, dma, len);
		if (!ret && memcmp(buf, pattern, len))
			ret = -EILSEQ;
	}
	if (!nvme_cmb_ctrl_alive(staging->ctrl))
		ret = -ENODEV;

	if (nvme_cmb_staging_put_back(win, pos, kept, buf, len)) {
		pci_err(staging->ctrl->pdev, "the last %zu bytes of the CMB are lost\n", len);
		ret = -EIO;
	}
out_free:
	kvfree(kept);
	return ret > 0 ? -EIO : ret;
}

/* The shortest time of some staged copies, out of the CMB if it can be read. */
static int nvme_cmb_staging_measure(struct nvme_cmb_staging *staging,
				    dma_addr_t dma, size_t len, u64 *best_ns)
{
	u64 from = staging->can[READ] ? staging->bus : dma, start_ns;
	unsigned int round;
	int ret = 0;

	*best_ns = U64_MAX;
	for (round = 0; !ret && round < NVME_CMB_STAGED_ROUNDS; round++) {
		start_ns = ktime_get_ns();
		ret = nvme_cmb_staging_rw(staging, nvme_cmd_write, 0, from, len);
		if (!ret)
			ret = nvme_cmb_staging_rw(staging, nvme_cmd_read, 0, dma, len);
		*best_ns = min(*best_ns, ktime_get_ns() - start_ns);
	}
	return ret;
}

/*
 * From which length on the controller is faster: a staged copy takes a time for the commands,
 * and one for each byte; the CPU's copy has only the latter.
 */
static unsigned int nvme_cmb_staging_crossover(u64 short_ns, u64 long_ns,
					       size_t short_len, size_t long_len,
					       u64 access_ps, unsigned int width)
{
	u64 byte_ps = 0, cpu_ps = access_ps / width, fixed_ps, len;

	/* A CMB may be so small that both are the same length. */
	if (long_ns > short_ns && long_len > short_len)
		byte_ps = div_u64((long_ns - short_ns) * 1000, long_len - short_len);
	if (cpu_ps <= byte_ps)
		return UINT_MAX;
	fixed_ps = short_ns * 1000 - min(short_ns * 1000, byte_ps * short_len);
	len = div64_u64(fixed_ps, cpu_ps - byte_ps) + 1;
	return len > SZ_1G ? UINT_MAX : roundup_pow_of_two(len);
}

/**
 * nvme_cmb_staging_choose - set the sizes from which on requests are staged
 * @staging: the scratch namespace
 * @dma: a buffer of @staging->buf_len, for the controller
 *
 * Context: may sleep. The caller has the controller's mutex.
 * Return: 0; a status of the controller's, or an errno.
 */
int nvme_cmb_staging_choose(struct nvme_cmb_staging *staging, dma_addr_t dma)
{
	const struct nvme_cmb_window *win = staging->win;
	u64 short_ns, long_ns;
	int ret;

	ret = nvme_cmb_staging_measure(staging, dma, NVME_CMB_STAGED_SHORT_LEN, &short_ns);
	if (!ret)
		ret = nvme_cmb_staging_measure(staging, dma, staging->buf_len, &long_ns);
	if (ret)
		return ret;
	staging->min_len[READ] =
		nvme_cmb_staging_crossover(short_ns, long_ns, NVME_CMB_STAGED_SHORT_LEN,
					   staging->buf_len, win->read_ps, win->read->width);
	staging->min_len[WRITE] =
		nvme_cmb_staging_crossover(short_ns, long_ns, NVME_CMB_STAGED_SHORT_LEN,
					   staging->buf_len, win->write_ps, win->write->width);
	dev_info(nvme_cmb_staging_dev(staging),
		 "namespace %u is scratch: %u bytes in %llu us, %u in %llu us; reads from %u bytes on are staged, writes from %u\n",
		 staging->nsid, NVME_CMB_STAGED_SHORT_LEN, div_u64(short_ns, 1000),
		 staging->buf_len, div_u64(long_ns, 1000), staging->min_len[READ],
		 staging->min_len[WRITE]);
	return 0;
}
