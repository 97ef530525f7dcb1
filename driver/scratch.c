// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scratch blocks of staged copies: a namespace of the user's, taken into use and given
 * back.
 */
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "admin.h"
#include "prp.h"
#include "staged.h"

/* What the driver itself moves at once, if a slot is as long */
#define NVME_CMB_STAGED_BUF_LEN		SZ_64K

/* The slots, and zeros for one more */
static u64 nvme_cmb_staging_len(const struct nvme_cmb_staging *staging)
{
	return (u64)(staging->nr_slots + 1) * staging->slot_len;
}

/* Return: NULL, or what is wrong with the namespace. */
static const char *nvme_cmb_staging_check_ns(struct nvme_cmb_staging *staging,
					     const struct nvme_id_ns *id,
					     unsigned int block_size)
{
	const struct nvme_lbaf *lbaf = &id->lbaf[id->flbas & NVME_NS_FLBAS_LBA_MASK];
	u64 needed = nvme_cmb_staging_len(staging);

	if (!id->nsze)
		return "it is not active";
	if (lbaf->ms || id->dps & NVME_NS_DPS_PI_MASK)
		return "it has metadata";
	if (lbaf->ds < SECTOR_SHIFT || lbaf->ds > ilog2(block_size))
		return "its blocks are no blocks of the disk, nor parts of them";
	staging->block_shift = lbaf->ds;
	/* and one block for the signature */
	if (le64_to_cpu(id->nsze) <= needed >> lbaf->ds)
		return "it is too small";
	return NULL;
}

static int nvme_cmb_staging_identify(struct nvme_cmb_staging *staging,
				     unsigned int block_size)
{
	u64 needed = nvme_cmb_staging_len(staging) + block_size;
	struct pci_dev *pdev = staging->ctrl->pdev;
	struct nvme_id_ns *id;
	const char *wrong;
	int ret;

	id = kmalloc(NVME_IDENTIFY_DATA_SIZE, GFP_KERNEL);
	if (!id)
		return -ENOMEM;
	ret = nvme_cmb_cmd_identify(staging->ctrl, NVME_ID_CNS_NS, staging->nsid, id);
	if (!ret) {
		wrong = nvme_cmb_staging_check_ns(staging, id, block_size);
		if (wrong) {
			pci_err(pdev, "namespace %u is no scratch: %s (%llu KiB are needed)\n",
				staging->nsid, wrong, needed / SZ_1K);
			ret = -EINVAL;
		}
	}
	kfree(id);
	return ret;
}

static void nvme_cmb_staging_free_slots(struct nvme_cmb_staging *staging)
{
	struct nvme_cmb_slot *slot;
	unsigned int i, j;

	for (i = 0; i < staging->nr_slots; i++) {
		slot = &staging->slots[i];
		for (j = 0; j < ARRAY_SIZE(slot->list); j++)
			if (slot->list[j])
				dma_pool_free(staging->pool, slot->list[j],
					      slot->list_dma[j]);
		kfree(slot->sgl);
	}
	kvfree(staging->slots);
}

static int nvme_cmb_staging_alloc_slots(struct nvme_cmb_staging *staging)
{
	unsigned int segments = NVME_CMB_STAGED_SEGMENTS(staging->slot_len);
	struct nvme_cmb_slot *slot;
	unsigned int i, j;

	staging->slots = kvcalloc(staging->nr_slots, sizeof(*slot), GFP_KERNEL);
	if (!staging->slots)
		return -ENOMEM;
	for (i = 0; i < staging->nr_slots; i++) {
		slot = &staging->slots[i];
		slot->cmd.done = nvme_cmb_staged_done;
		slot->staging = staging;
		/* A time-out may look here before the first command is submitted. */
		slot->queue = &staging->ctrl->queues[1];
		slot->slba = (u64)i * staging->slot_len >> staging->block_shift;
		slot->sgl = kmalloc_array(segments, sizeof(*slot->sgl), GFP_KERNEL);
		if (!slot->sgl)
			goto out_free_slots;
		for (j = 0; j < ARRAY_SIZE(slot->list); j++) {
			slot->list[j] = dma_pool_alloc(staging->pool, GFP_KERNEL,
						       &slot->list_dma[j]);
			if (!slot->list[j])
				goto out_free_slots;
		}
	}
	return 0;

out_free_slots:
	nvme_cmb_staging_free_slots(staging);
	return -ENOMEM;
}

/*
 * The last block of the scratch blocks says whose they are, as long as they are used. If the
 * system dies meanwhile, they can be used again without being forced.
 */
static const char nvme_cmb_signature[] = "nvme_cmb: scratch blocks";

/*
 * Behind the signature is a random number of each scratch namespace in use. All of them are in
 * this list, because a namespace may be that of several controllers.
 */
static LIST_HEAD(nvme_cmb_stagings);
static DEFINE_MUTEX(nvme_cmb_stagings_mutex);

/* From the look for a signature until there is one: two may want the same blocks. */
static DEFINE_MUTEX(nvme_cmb_sign_mutex);

static bool nvme_cmb_staging_in_use(const char *signature)
{
	const char *id = signature + sizeof(nvme_cmb_signature);
	const struct nvme_cmb_staging *other;
	bool found = false;

	mutex_lock(&nvme_cmb_stagings_mutex);
	list_for_each_entry(other, &nvme_cmb_stagings, node)
		found |= !memcmp(&other->id, id, sizeof(other->id));
	mutex_unlock(&nvme_cmb_stagings_mutex);
	return found;
}

static void nvme_cmb_staging_list(struct nvme_cmb_staging *staging)
{
	mutex_lock(&nvme_cmb_stagings_mutex);
	list_add(&staging->node, &nvme_cmb_stagings);
	mutex_unlock(&nvme_cmb_stagings_mutex);
}

static void nvme_cmb_staging_unlist(struct nvme_cmb_staging *staging)
{
	mutex_lock(&nvme_cmb_stagings_mutex);
	list_del(&staging->node);
	mutex_unlock(&nvme_cmb_stagings_mutex);
}

static int nvme_cmb_staging_sign(struct nvme_cmb_staging *staging, char *buf,
				 dma_addr_t dma)
{
	size_t len = 1 << staging->block_shift;
	u64 slba = nvme_cmb_staging_len(staging) >> staging->block_shift;

	memset(buf, 0, len);
	strscpy(buf, nvme_cmb_signature, len);
	memcpy(buf + sizeof(nvme_cmb_signature), &staging->id, sizeof(staging->id));
	return nvme_cmb_staging_rw(staging, nvme_cmd_write, slba, dma, len);
}

/*
 * Return: 0 if the scratch blocks hold zeros only, or the signature of a system that has died;
 * -EBUSY if another controller uses them, -EEXIST if they hold anything else; a status of the
 * controller's, or another errno.
 */
static int nvme_cmb_staging_is_free(struct nvme_cmb_staging *staging, char *buf,
				    dma_addr_t dma)
{
	unsigned int shift = staging->block_shift;
	u64 end = nvme_cmb_staging_len(staging), pos;
	int ret;

	ret = nvme_cmb_staging_rw(staging, nvme_cmd_read, end >> shift, dma, 1 << shift);
	if (ret)
		return ret;
	if (!strncmp(buf, nvme_cmb_signature, 1 << shift))
		return nvme_cmb_staging_in_use(buf) ? -EBUSY : 0;
	if (memchr_inv(buf, 0, 1 << shift))
		return -EEXIST;
	for (pos = 0; pos < end; pos += staging->buf_len) {
		ret = nvme_cmb_staging_rw(staging, nvme_cmd_read, pos >> shift, dma,
					  staging->buf_len);
		if (ret)
			return ret;
		if (memchr_inv(buf, 0, staging->buf_len))
			return -EEXIST;
	}
	return 0;
}

static int nvme_cmb_staging_zero(struct nvme_cmb_staging *staging, char *buf,
				 dma_addr_t dma, u64 pos, u64 end)
{
	int ret = 0;

	memset(buf, 0, staging->buf_len);
	for (; !ret && pos < end; pos += staging->buf_len)
		ret = nvme_cmb_staging_rw(staging, nvme_cmd_write,
					  pos >> staging->block_shift, dma, staging->buf_len);
	return ret;
}

/* What users had on the disk went through the scratch blocks. */
static int nvme_cmb_staging_wipe(struct nvme_cmb_staging *staging, char *buf,
				 dma_addr_t dma)
{
	unsigned int shift = staging->block_shift;
	u64 end = nvme_cmb_staging_len(staging);
	int ret;

	ret = nvme_cmb_staging_zero(staging, buf, dma, 0, end);
	if (!ret)
		ret = nvme_cmb_staging_rw(staging, nvme_cmd_write, end >> shift, dma,
					  1 << shift);
	return ret;
}

/* Put the signature there, if the scratch blocks are free or may be lost. */
static int nvme_cmb_staging_take(struct nvme_cmb_staging *staging, bool force,
				 char *buf, dma_addr_t dma)
{
	struct device *dev = nvme_cmb_staging_dev(staging);
	int ret;

	mutex_lock(&nvme_cmb_sign_mutex);
	ret = nvme_cmb_staging_is_free(staging, buf, dma);
	if (ret == -EEXIST && force)
		ret = 0;
	if (ret == -EBUSY)
		dev_err(dev, "namespace %u is no scratch: another controller uses it\n",
			staging->nsid);
	else if (ret == -EEXIST)
		dev_err(dev, "namespace %u is no scratch: its first %llu KiB are not all zeros\n",
			staging->nsid, nvme_cmb_staging_len(staging) / SZ_1K);
	if (!ret)
		ret = nvme_cmb_staging_sign(staging, buf, dma);
	mutex_unlock(&nvme_cmb_sign_mutex);
	return ret;
}

static int nvme_cmb_staging_start(struct nvme_cmb_staging *staging, bool force)
{
	struct device *dev = nvme_cmb_staging_dev(staging);
	dma_addr_t dma;
	char *buf;
	int ret;

	buf = dma_alloc_coherent(dev, staging->buf_len, &dma, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = nvme_cmb_staging_take(staging, force, buf, dma);
	if (ret)
		goto out_free_buf;
	ret = nvme_cmb_staging_zero(staging, buf, dma,
				    staging->zero_slba << staging->block_shift,
				    nvme_cmb_staging_len(staging));
	if (ret)
		goto out_wipe;
	nvme_cmb_cmb_set_bus(staging->ctrl, staging->bus);
	ret = nvme_cmb_staging_test(staging, buf, dma);
	if (!ret)
		ret = nvme_cmb_staging_choose(staging, dma);
	if (!ret)
		goto out_free_buf;

	nvme_cmb_cmb_set_bus(staging->ctrl, 0);
out_wipe:
	dev_err(dev, "namespace %u: %s (%d)\n", staging->nsid, ret == -EILSEQ ?
		"the controller does not move what is in its CMB" :
		"staged copies do not work", ret);
	nvme_cmb_staging_wipe(staging, buf, dma);
out_free_buf:
	dma_free_coherent(dev, staging->buf_len, buf, dma);
	return ret;
}

/* A command that took too long has left the controller without queues. */
static int nvme_cmb_staging_start_ctrl(struct nvme_cmb_staging *staging)
{
	struct nvme_cmb_ctrl *ctrl = staging->ctrl;
	int ret;

	if (ctrl->nr_io)
		return 0;
	if (!nvme_cmb_ctrl_alive(ctrl))
		return -ENODEV;
	ret = nvme_cmb_ctrl_disable(ctrl);
	if (!ret)
		ret = nvme_cmb_admin_start(ctrl);
	return ret;
}

/**
 * nvme_cmb_staging_alloc - take scratch blocks into use
 * @win: a CMB that is mapped, and that nobody uses at this moment
 * @nsid: the namespace
 * @slots: how many requests there may be at once
 * @slot_len: bytes that a request may have, a power of two, 4 KiB at least
 * @block_size: logical block size of the disk
 * @force: whatever the blocks hold may be lost
 * @end: told of each request
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 * Return: the scratch namespace, or an ERR_PTR().
 */
struct nvme_cmb_staging *nvme_cmb_staging_alloc(const struct nvme_cmb_window *win,
						u32 nsid, unsigned int slots,
						unsigned int slot_len,
						unsigned int block_size, bool force,
						nvme_cmb_staged_end_fn *end)
{
	struct nvme_cmb_staging *staging;
	size_t page;
	int ret;

	staging = kzalloc(sizeof(*staging), GFP_KERNEL);
	if (!staging)
		return ERR_PTR(-ENOMEM);
	staging->win = win;
	staging->ctrl = win->ctrl;
	staging->nsid = nsid;
	staging->bus = pci_bus_address(win->ctrl->pdev, win->geo.bir) + win->geo.offset;
	staging->nr_slots = slots;
	staging->end = end;
	staging->id = get_random_u64();
	staging->can[READ] = win->cmbsz & NVME_CMBSZ_WDS;
	staging->can[WRITE] = win->cmbsz & NVME_CMBSZ_RDS;

	ret = nvme_cmb_staging_start_ctrl(staging);
	if (ret)
		goto out_free_staging;
	page = 1UL << staging->ctrl->page_shift;
	staging->slot_len = min(slot_len, staging->ctrl->max_transfer);
	staging->buf_len = rounddown_pow_of_two(min3((u64)staging->slot_len, win->geo.size,
						     (u64)NVME_CMB_STAGED_BUF_LEN));
	mutex_lock(&staging->ctrl->mutex);
	ret = nvme_cmb_staging_identify(staging, block_size);
	if (ret)
		goto out_unlock;
	staging->zero_slba = (u64)slots * staging->slot_len >> staging->block_shift;
	ret = -ENOMEM;
	staging->pool = dma_pool_create("nvme_cmb", nvme_cmb_staging_dev(staging),
					page, page, 0);
	if (!staging->pool)
		goto out_unlock;
	ret = nvme_cmb_staging_alloc_slots(staging);
	if (ret)
		goto out_destroy_pool;
	nvme_cmb_staging_list(staging);
	ret = nvme_cmb_staging_start(staging, force);
	if (ret)
		goto out_unlist;
	mutex_unlock(&staging->ctrl->mutex);
	return staging;

out_unlist:
	nvme_cmb_staging_unlist(staging);
	nvme_cmb_staging_free_slots(staging);
out_destroy_pool:
	dma_pool_destroy(staging->pool);
out_unlock:
	mutex_unlock(&staging->ctrl->mutex);
out_free_staging:
	kfree(staging);
	return ERR_PTR(ret > 0 ? -EIO : ret);
}

/**
 * nvme_cmb_staging_free - give the scratch blocks back, as zeros
 * @staging: the scratch namespace, with no request in it; or NULL
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 */
void nvme_cmb_staging_free(struct nvme_cmb_staging *staging)
{
	struct device *dev;
	dma_addr_t dma;
	char *buf;
	int ret;

	if (!staging)
		return;
	dev = nvme_cmb_staging_dev(staging);
	ret = nvme_cmb_staging_start_ctrl(staging);
	buf = dma_alloc_coherent(dev, staging->buf_len, &dma, GFP_KERNEL);
	mutex_lock(&staging->ctrl->mutex);
	if (ret || !buf || !nvme_cmb_ctrl_alive(staging->ctrl) ||
	    nvme_cmb_staging_wipe(staging, buf, dma))
		dev_warn(dev, "namespace %u: scratch blocks were not cleared\n",
			 staging->nsid);
	if (buf)
		dma_free_coherent(dev, staging->buf_len, buf, dma);
	nvme_cmb_cmb_set_bus(staging->ctrl, 0);
	mutex_unlock(&staging->ctrl->mutex);
	nvme_cmb_staging_unlist(staging);
	nvme_cmb_staging_free_slots(staging);
	dma_pool_destroy(staging->pool);
	kfree(staging);
}
