// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PMR for libnvdimm: an auxiliary device, to which the module nvme_cmb_pmem binds. So
 * libnvdimm is loaded only by those who use it.
 */
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "pmem.h"

static struct nvme_cmb_pmem_dev *nvme_cmb_user_pmem(struct nvme_cmb_user *user)
{
	return container_of(user, struct nvme_cmb_pmem_dev, user);
}

static void nvme_cmb_pmem_free(struct device *dev)
{
	kfree(container_of(dev, struct nvme_cmb_pmem_dev, adev.dev));
}

static void nvme_cmb_pmem_note_loss(struct nvme_cmb_user *user)
{
	atomic_inc(&nvme_cmb_user_pmem(user)->losses);
}

/*
 * libnvdimm stores without the driver. A flush fails if stores may have been lost since the
 * last one, in a reset, or while a flush found the controller away. One flush reports it, as
 * fsync() reports a write error once.
 *
 * If a loss ends while a flush runs, this flush fails, and so does the next one: it reports
 * the loss.
 */
static int nvme_cmb_pmem_flush(struct nvme_cmb_pmem_dev *pmem)
{
	int losses = atomic_read(&pmem->losses);
	bool lost = atomic_xchg(&pmem->reported, losses) != losses;
	int ret = nvme_cmb_window_flush(pmem->win);

	/* Until a flush succeeds, stores may be lost as well. */
	if (ret)
		nvme_cmb_pmem_note_loss(&pmem->user);
	/* Pairs with nvme_cmb_pmem_release(): without a hold, all its losses are visible. */
	if (atomic_read_acquire(&pmem->holds) ||
	    atomic_read(&pmem->losses) != losses)
		ret = -EIO;
	if (lost) {
		dev_err_ratelimited(&pmem->win->ctrl->pdev->dev,
				    "flush of the PMR failed: stores may have got lost before it\n");
		ret = -EIO;
	}
	return ret;
}

/* Stores cannot be held. They may be lost from now on, so that flushes fail. */
static void nvme_cmb_pmem_hold(struct nvme_cmb_user *user)
{
	atomic_inc(&nvme_cmb_user_pmem(user)->holds);
}

static void nvme_cmb_pmem_release(struct nvme_cmb_user *user)
{
	atomic_fetch_sub_release(1, &nvme_cmb_user_pmem(user)->holds);
}

static void nvme_cmb_pmem_fail(struct nvme_cmb_user *user, const char *why,
			       bool for_good)
{
	nvme_cmb_pmem_note_loss(user);
}

static void nvme_cmb_pmem_del(struct nvme_cmb_user *user)
{
	struct nvme_cmb_pmem_dev *pmem = nvme_cmb_user_pmem(user);

	auxiliary_device_delete(&pmem->adev);
	auxiliary_device_uninit(&pmem->adev);
	module_put(THIS_MODULE);
}

static const struct nvme_cmb_user_ops nvme_cmb_pmem_user_ops = {
	.hold		= nvme_cmb_pmem_hold,
	.release	= nvme_cmb_pmem_release,
	.note_loss	= nvme_cmb_pmem_note_loss,
	.fail		= nvme_cmb_pmem_fail,
	.del		= nvme_cmb_pmem_del,
};

/**
 * nvme_cmb_pmem_usable - can libnvdimm use a PMR?
 * @win: the PMR, enabled; if not, the reason is in the log
 *
 * nd_pmem stores to it, and maps it with struct pages. Nothing here maps it, so that a flush
 * cannot read from it.
 *
 * Context: any.
 * Return: true if it can.
 */
bool nvme_cmb_pmem_usable(const struct nvme_cmb_window *win)
{
	u64 bar_len = nvme_cmb_ctrl_bar_len(win->ctrl, win->geo.bir);
	struct pci_dev *pdev = win->ctrl->pdev;
	unsigned long align = memremap_compat_align();

	if (win->read_only ||
	    !(win->pmrcap & NVME_CMB_PMRCAP_PMRWBM_PMRSTS)) {
		pci_warn(pdev, "PMR stays a disk: libnvdimm wants to write to it, and reads of PMRSTS to flush it\n");
		return false;
	}
	/* Its address is a multiple of that if its size is. */
	if (!IS_ALIGNED(bar_len, align)) {
		pci_warn(pdev, "PMR stays a disk: libnvdimm maps multiples of %lu KiB, and BAR %u has %llu KiB\n",
			 align / SZ_1K, win->geo.bir, bar_len / SZ_1K);
		return false;
	}
	return true;
}

/**
 * nvme_cmb_pmem_add - register a device for libnvdimm
 * @win: the PMR, enabled but not mapped
 *
 * The module is in use as long as the device is there: libnvdimm's disk may be mounted.
 *
 * Context: may sleep.
 * Return: the device as a user of the window, or an ERR_PTR().
 */
struct nvme_cmb_user *nvme_cmb_pmem_add(const struct nvme_cmb_window *win)
{
	struct pci_dev *pdev = win->ctrl->pdev;
	struct nvme_cmb_pmem_dev *pmem;
	int ret;

	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	pmem = kzalloc(sizeof(*pmem), GFP_KERNEL);
	if (!pmem) {
		ret = -ENOMEM;
		goto out_put_module;
	}
	pmem->user.ops = &nvme_cmb_pmem_user_ops;
	pmem->win = win;
	pmem->flush = nvme_cmb_pmem_flush;
	pmem->res.start = pci_resource_start(pdev, win->geo.bir);
	pmem->res.end = pci_resource_end(pdev, win->geo.bir);
	pmem->res.flags = IORESOURCE_MEM;
	pmem->adev.name = "pmem";
	pmem->adev.id = pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
	pmem->adev.dev.parent = &pdev->dev;
	pmem->adev.dev.release = nvme_cmb_pmem_free;

	ret = auxiliary_device_init(&pmem->adev);
	if (ret) {
		kfree(pmem);
		goto out_put_module;
	}
	ret = auxiliary_device_add(&pmem->adev);
	if (ret) {
		auxiliary_device_uninit(&pmem->adev);
		goto out_put_module;
	}
	pci_info(pdev, "PMR: %llu KiB in BAR %u given to libnvdimm\n",
		 win->geo.size / SZ_1K, win->geo.bir);
	return &pmem->user;

out_put_module:
	module_put(THIS_MODULE);
	return ERR_PTR(ret);
}
