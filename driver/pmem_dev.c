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

static void nvme_cmb_loan_free(struct device *dev)
{
	kfree(container_of(dev, struct nvme_cmb_loan, adev.dev));
}

/*
 * Nobody here sees the stores. A flush has to fail if any of them may have got lost
 * since the last one: in a reset, or in a silence that a flush has seen. It says so
 * once, as fsync() does of a write error.
 *
 * A flush fails, and is not the one that says so, if it began before the loss was over:
 * stores that come after it may be lost, too.
 */
static int nvme_cmb_loan_flush(struct nvme_cmb_loan *loan)
{
	int losses = atomic_read(&loan->losses);
	bool lost = atomic_xchg(&loan->told, losses) != losses;
	int ret = nvme_cmb_window_flush(loan->win);

	/* What is stored from now on may be lost as well, until a flush succeeds. */
	if (ret)
		nvme_cmb_loan_lose(loan);
	/* Pairs with nvme_cmb_loan_release(): no hold, then all its losses are seen. */
	if (atomic_read_acquire(&loan->holds) ||
	    atomic_read(&loan->losses) != losses)
		ret = -EIO;
	if (lost) {
		dev_err_ratelimited(&loan->win->ctrl->pdev->dev,
				    "flush of the PMR failed: stores may have got lost before it\n");
		ret = -EIO;
	}
	return ret;
}

/**
 * nvme_cmb_loan_lose - stores may have got lost
 * @loan: the loan; its next flush fails
 *
 * Context: any.
 */
void nvme_cmb_loan_lose(struct nvme_cmb_loan *loan)
{
	atomic_inc(&loan->losses);
}

/**
 * nvme_cmb_loan_hold - stores may get lost from now on
 * @loan: the loan; flushes fail until nvme_cmb_loan_release()
 *
 * Context: any.
 */
void nvme_cmb_loan_hold(struct nvme_cmb_loan *loan)
{
	atomic_inc(&loan->holds);
}

/**
 * nvme_cmb_loan_release - undo nvme_cmb_loan_hold()
 * @loan: the loan; if any store may have got lost, nvme_cmb_loan_lose() was told before
 *
 * Context: any.
 */
void nvme_cmb_loan_release(struct nvme_cmb_loan *loan)
{
	atomic_fetch_sub_release(1, &loan->holds);
}

/**
 * nvme_cmb_lendable - could libnvdimm make a disk of it?
 * @win: the PMR, enabled; why not is said in the log
 *
 * nd_pmem writes to it, maps it with struct pages, and has no mapping here that a
 * flush could read from.
 *
 * Context: any.
 * Return: true if it could.
 */
bool nvme_cmb_lendable(const struct nvme_cmb_window *win)
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
 * nvme_cmb_lend - give a PMR into other hands
 * @win: the PMR, enabled but not mapped
 *
 * The module is in use until nvme_cmb_take_back(): libnvdimm's disk may be mounted.
 *
 * Context: may sleep.
 * Return: the loan, or an ERR_PTR().
 */
struct nvme_cmb_loan *nvme_cmb_lend(const struct nvme_cmb_window *win)
{
	struct pci_dev *pdev = win->ctrl->pdev;
	struct nvme_cmb_loan *loan;
	int ret;

	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	loan = kzalloc(sizeof(*loan), GFP_KERNEL);
	if (!loan) {
		ret = -ENOMEM;
		goto out_put_module;
	}
	loan->win = win;
	loan->flush = nvme_cmb_loan_flush;
	loan->res.start = pci_resource_start(pdev, win->geo.bir);
	loan->res.end = pci_resource_end(pdev, win->geo.bir);
	loan->res.flags = IORESOURCE_MEM;
	loan->adev.name = "pmem";
	loan->adev.id = pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
	loan->adev.dev.parent = &pdev->dev;
	loan->adev.dev.release = nvme_cmb_loan_free;

	ret = auxiliary_device_init(&loan->adev);
	if (ret) {
		kfree(loan);
		goto out_put_module;
	}
	ret = auxiliary_device_add(&loan->adev);
	if (ret) {
		auxiliary_device_uninit(&loan->adev);
		goto out_put_module;
	}
	pci_info(pdev, "PMR: %llu KiB in BAR %u lent to libnvdimm\n",
		 win->geo.size / SZ_1K, win->geo.bir);
	return loan;

out_put_module:
	module_put(THIS_MODULE);
	return ERR_PTR(ret);
}

/**
 * nvme_cmb_take_back - undo nvme_cmb_lend()
 * @loan: the loan
 *
 * When this returns nobody uses the PMR.
 *
 * Context: may sleep.
 */
void nvme_cmb_take_back(struct nvme_cmb_loan *loan)
{
	auxiliary_device_delete(&loan->adev);
	auxiliary_device_uninit(&loan->adev);
	module_put(THIS_MODULE);
}
