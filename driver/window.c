// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: a controller's memory of either kind, enabled and mapped.
 */
#include <linux/io.h>

#include "memory.h"

/*
 * Write combining is right for an emulator's RAM, and for a real device behind a
 * prefetchable BAR. A write-back mapping would be wrong: stores stay in the CPU's cache, and
 * no read from the device flushes them.
 */
static void __iomem *nvme_cmb_window_remap(const struct nvme_cmb_window *win)
{
	struct pci_dev *pdev = win->ctrl->pdev;

	if (!win->kind->memory)
		return pci_ioremap_bar(pdev, win->geo.bir);
	return (__force void __iomem *)
	       memremap(pci_resource_start(pdev, win->geo.bir),
			pci_resource_len(pdev, win->geo.bir), MEMREMAP_WC);
}

/**
 * nvme_cmb_window_map - map a window
 * @win: the window, enabled
 *
 * BAR 0 is requested by the driver; any other BAR here.
 *
 * Context: may sleep.
 * Return: 0, -EBUSY if someone else has the BAR, -ENOMEM if it cannot be mapped.
 */
int nvme_cmb_window_map(struct nvme_cmb_window *win)
{
	struct pci_dev *pdev = win->ctrl->pdev;
	int ret;

	if (win->geo.bir) {
		ret = pci_request_region(pdev, win->geo.bir, KBUILD_MODNAME);
		if (ret)
			return ret;
	}
	win->bar = nvme_cmb_window_remap(win);
	if (!win->bar) {
		if (win->geo.bir)
			pci_release_region(pdev, win->geo.bir);
		return -ENOMEM;
	}
	win->base = win->bar + win->geo.offset;
	return 0;
}

/**
 * nvme_cmb_window_unmap - undo nvme_cmb_window_map()
 * @win: the window; nothing may be using it any more
 *
 * Context: may sleep.
 */
void nvme_cmb_window_unmap(struct nvme_cmb_window *win)
{
	if (win->kind->memory)
		memunmap((__force void *)win->bar);
	else
		iounmap(win->bar);
	if (win->geo.bir)
		pci_release_region(win->ctrl->pdev, win->geo.bir);
	win->bar = NULL;
}

/**
 * nvme_cmb_window_regs_match - do all registers read as they did at probe?
 * @win: the window
 *
 * A controller that answers again may be another one, or the same one after a reset that
 * the driver was not told of.
 *
 * Context: any.
 * Return: true if they do.
 */
bool nvme_cmb_window_regs_match(const struct nvme_cmb_window *win)
{
	return win->kind->regs_match(win) && nvme_cmb_ctrl_regs_match(win->ctrl);
}

/**
 * nvme_cmb_window_flush - flush, and check the controller before and after
 * @win: the window; one without a cache is left alone
 *
 * For libnvdimm, which copies without checking the controller. A flush fails while the
 * controller is away. Stores that were made meanwhile are lost, and a flush that comes when
 * it is back cannot know of them. Also called before the device may lose its power.
 *
 * Context: any.
 * Return: 0 or -EIO.
 */
int nvme_cmb_window_flush(const struct nvme_cmb_window *win)
{
	int ret = -EIO;
	bool locked;

	if (!win->write_cache)
		return 0;
	if (nvme_cmb_ctrl_is(win->ctrl, NVME_CMB_CTRL_DEAD))
		return -EIO;
	locked = nvme_cmb_ctrl_lock_cfg(win->ctrl);
	/* The flush itself finds out whether the memory is ready. */
	if (nvme_cmb_window_regs_match(win))
		ret = win->kind->flush(win);
	if (!nvme_cmb_ctrl_alive(win->ctrl))
		ret = -EIO;
	nvme_cmb_ctrl_unlock_cfg(win->ctrl, locked);
	return ret;
}

/**
 * nvme_cmb_window_revalidate - enable the memory again after the controller was reset
 * @win: the window of a controller that is disabled, and is the one of probe
 *
 * A loss of power clears what enables the memory, and a reset of the function may. A PMR is
 * enabled again. A CMB is not, because it may hold something else by now. QEMU's controller
 * keeps it all.
 *
 * Context: may sleep.
 * Return: 0, -ENODATA if the memory has lost what it held, or another errno if this is not
 * the window that was mapped.
 */
int nvme_cmb_window_revalidate(const struct nvme_cmb_window *win)
{
	int ret = win->kind->revalidate(win);

	if (!ret && !nvme_cmb_window_usable(win))
		ret = -ENODEV;
	return ret;
}

/**
 * nvme_cmb_window_usable - is it the window of probe, and ready to be accessed?
 * @win: the window
 *
 * For a PMR this reads PMRSTS, which may cost as much as a flush.
 *
 * Context: any.
 * Return: true if it is both.
 */
bool nvme_cmb_window_usable(const struct nvme_cmb_window *win)
{
	return (!win->kind->ready || win->kind->ready(win)) &&
	       nvme_cmb_window_regs_match(win);
}
