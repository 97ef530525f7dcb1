// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PMR as a device of its own, for another driver: nvme_cmb_pmem. An auxiliary device
 * between them keeps libnvdimm away from those who have no use for it.
 */
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "memory.h"
#include "pmem.h"

static void nvme_cmb_pmem_free(struct device *dev)
{
	kfree(container_of(dev, struct nvme_cmb_pmem_dev, adev.dev));
}

/*
 * Nobody here sees the stores. A flush has to fail if any of them may have got lost
 * since the last one: in a reset, or in a silence that a flush has seen. It says so
 * once, as fsync() does of a write error.
 *
 * A flush fails, and is not the one that says so, if it began before the loss was over:
 * stores that come after it may be lost, too.
 */
static int nvme_cmb_pmem_flush(struct nvme_cmb_pmem_dev *pmem)
{
	int losses = atomic_read(&pmem->losses);
	bool lost = atomic_xchg(&pmem->told, losses) != losses;
	int ret = nvme_cmb_window_flush(pmem->win);

	/* What is stored from now on may be lost as well, until a flush succeeds. */
	if (ret)
		nvme_cmb_pmem_note_loss(pmem);
	/* Pairs with nvme_cmb_pmem_release(): no hold, then all its losses are seen. */
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

/**
 * nvme_cmb_pmem_note_loss - stores may have got lost
 * @pmem: the pmem; its next flush fails
 *
 * Context: any.
 */
void nvme_cmb_pmem_note_loss(struct nvme_cmb_pmem_dev *pmem)
{
	atomic_inc(&pmem->losses);
}

/**
 * nvme_cmb_pmem_hold - stores may get lost from now on
 * @pmem: the pmem; flushes fail until nvme_cmb_pmem_release()
 *
 * Context: any.
 */
void nvme_cmb_pmem_hold(struct nvme_cmb_pmem_dev *pmem)
{
	atomic_inc(&pmem->holds);
}

/**
 * nvme_cmb_pmem_release - undo nvme_cmb_pmem_hold()
 * @pmem: the pmem; if any store may have got lost, nvme_cmb_pmem_note_loss() was told before
 *
 * Context: any.
 */
void nvme_cmb_pmem_release(struct nvme_cmb_pmem_dev *pmem)
{
	atomic_fetch_sub_release(1, &pmem->holds);
}

/**
 * nvme_cmb_pmem_usable - could libnvdimm make a disk of it?
 * @win: the PMR, enabled; why not is said in the log
 *
 * nd_pmem writes to it, maps it with struct pages, and has no mapping here that a
 * flush could read from.
 *
 * Context: any.
 * Return: true if it could.
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
 * nvme_cmb_pmem_add - give a PMR into other hands
 * @win: the PMR, enabled but not mapped
 *
 * The module is in use until nvme_cmb_pmem_del(): libnvdimm's disk may be mounted.
 *
 * Context: may sleep.
 * Return: the pmem, or an ERR_PTR().
 */
struct nvme_cmb_pmem_dev *nvme_cmb_pmem_add(const struct nvme_cmb_window *win)
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
	pci_info(pdev, "PMR: %llu KiB in BAR %u lent to libnvdimm\n",
		 win->geo.size / SZ_1K, win->geo.bir);
	return pmem;

out_put_module:
	module_put(THIS_MODULE);
	return ERR_PTR(ret);
}

/**
 * nvme_cmb_pmem_del - undo nvme_cmb_pmem_add()
 * @pmem: the pmem
 *
 * When this returns nobody uses the PMR.
 *
 * Context: may sleep.
 */
void nvme_cmb_pmem_del(struct nvme_cmb_pmem_dev *pmem)
{
	auxiliary_device_delete(&pmem->adev);
	auxiliary_device_uninit(&pmem->adev);
	module_put(THIS_MODULE);
}
