// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: a controller's memory of either kind, enabled and mapped.
 */
#include <linux/io.h>

#include "memory.h"

/*
 * Write combining is what both an emulator's RAM and a real device behind a
 * prefetchable BAR can bear: a CPU's cache would keep stores to itself, where no
 * read of the device's flushes them.
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
 * nvme_cmb_window_open - enable a controller's memory
 * @win: filled in on success
 * @ctrl: the controller, disabled
 * @kind: which memory
 *
 * Context: may sleep.
 * Return: 0, or -ENODEV if the memory makes no usable window, which is said in the log.
 */
int nvme_cmb_window_open(struct nvme_cmb_window *win,
			 struct nvme_cmb_ctrl *ctrl,
			 const struct nvme_cmb_kind *kind)
{
	win->ctrl = ctrl;
	win->kind = kind;
	return kind->open(win);
}

/**
 * nvme_cmb_window_close - undo nvme_cmb_window_open()
 * @win: the window
 *
 * Context: may sleep.
 */
void nvme_cmb_window_close(struct nvme_cmb_window *win)
{
	win->kind->disable(win);
}

/**
 * nvme_cmb_window_map - map a window
 * @win: the window, open
 *
 * BAR 0 is the controller's; any other belongs to the window in it.
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
}

/**
 * nvme_cmb_window_same - is this still the window that was mapped?
 * @win: the window
 *
 * Whoever answers after a silence may be another controller, or the same one after
 * a reset that nobody told the driver of.
 *
 * Context: any.
 * Return: true if all registers read as they did at probe.
 */
bool nvme_cmb_window_same(const struct nvme_cmb_window *win)
{
	return win->kind->same(win) && nvme_cmb_ctrl_same(win->ctrl);
}

/**
 * nvme_cmb_window_flush - flush between two sights of the controller
 * @win: the window; one that no flush helps is left alone
 *
 * For those who copy without looking at the controller. Nothing is acknowledged while
 * it is away; but what they wrote meanwhile is not there, and a flush that comes when it
 * is back cannot know. And for those who are about to take its power.
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
	locked = nvme_cmb_ctrl_lock_cfg(win->ctrl);
	/* Whether it is accessible, the flush itself finds out. */
	if (nvme_cmb_window_same(win))
		ret = win->kind->flush(win);
	if (!nvme_cmb_ctrl_alive(win->ctrl))
		ret = -EIO;
	nvme_cmb_ctrl_unlock_cfg(win->ctrl, locked);
	return ret;
}

/**
 * nvme_cmb_window_restore - enable the memory again after the controller was reset
 * @win: the window
 *
 * A loss of power clears what enables it, and a reset of the function may. A PMR is
 * enabled again then; a CMB is not, for it may hold something else by now. QEMU's
 * controller keeps it all.
 *
 * Context: may sleep.
 * Return: 0, -ENODATA if the same controller has lost what was in the window, or
 * another errno if this is not the window that was mapped.
 */
int nvme_cmb_window_restore(const struct nvme_cmb_window *win)
{
	int ret = nvme_cmb_ctrl_disable(win->ctrl);

	if (!ret && !nvme_cmb_ctrl_same(win->ctrl))
		ret = -ENODEV;
	if (!ret)
		ret = win->kind->enable(win);
	if (!ret && !nvme_cmb_window_intact(win))
		ret = -ENODEV;
	return ret;
}

/**
 * nvme_cmb_window_intact - is it still that window, and can it be accessed?
 * @win: the window
 *
 * To ask a PMR for the latter may cost as much as to flush it.
 *
 * Context: any.
 * Return: true if it is, and can.
 */
bool nvme_cmb_window_intact(const struct nvme_cmb_window *win)
{
	return (!win->kind->accessible || win->kind->accessible(win)) &&
	       nvme_cmb_window_same(win);
}
