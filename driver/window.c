// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: a controller's memory, found, enabled and mapped.
 */
#include <linux/io-64-nonatomic-hi-lo.h>
#include <linux/nvme.h>

#include "nvme_cmb.h"

/**
 * nvme_cmb_window_present - does the controller have a CMB?
 * @ctrl: the controller
 *
 * Looks and changes nothing, so that a controller without one can be left as
 * it was found.
 *
 * Return: true if CAP.CMBS announces a CMB (since NVMe 1.4), or if CMBSZ shows
 * one outright (before).
 */
bool nvme_cmb_window_present(const struct nvme_cmb_ctrl *ctrl)
{
	return NVME_CAP_CMBS(ctrl->cap) ||
	       readl(ctrl->regs + NVME_REG_CMBSZ) != 0;
}

/*
 * CMBMSC outlives every reset of the controller, so what stands in it may be
 * from another age. QEMU acts on the write to the low half: the high half has
 * to be there by then.
 */
static void nvme_cmb_write_cmbmsc(const struct nvme_cmb_ctrl *ctrl, u64 cmbmsc)
{
	if (NVME_CAP_CMBS(ctrl->cap))
		hi_lo_writeq(cmbmsc, ctrl->regs + NVME_REG_CMBMSC);
}

static const char *nvme_cmb_window_find(struct nvme_cmb_window *win)
{
	const struct nvme_cmb_ctrl *ctrl = win->ctrl;
	struct nvme_cmb_geometry *geo = &win->geo;
	u64 bar_len = 0;
	const char *wrong;

	win->cmbloc = readl(ctrl->regs + NVME_REG_CMBLOC);
	win->cmbsz = readl(ctrl->regs + NVME_REG_CMBSZ);
	wrong = nvme_cmb_decode(win->cmbloc, win->cmbsz, geo);
	if (!wrong) {
		if (pci_resource_flags(ctrl->pdev, geo->bir) & IORESOURCE_MEM)
			bar_len = pci_resource_len(ctrl->pdev, geo->bir);
		wrong = nvme_cmb_clamp(geo, bar_len);
	}
	if (wrong)
		pci_info(ctrl->pdev, "declined: %s (CMBLOC 0x%08x, CMBSZ 0x%08x)\n",
			 wrong, win->cmbloc, win->cmbsz);
	return wrong;
}

/**
 * nvme_cmb_window_map - enable and map the CMB
 * @win: filled in on success
 * @ctrl: the controller, disabled
 *
 * CMBMSC.CRE makes CMBLOC and CMBSZ readable (1.4, 3.1.20). CMBMSC.CMSE and
 * CBA stay clear: they give the CMB an address in the controller's own
 * commands, and the CPU needs none.
 *
 * Context: may sleep.
 * Return: 0, -ENODEV if the CMB is no usable window, -ENOMEM if it cannot be
 * mapped.
 */
int nvme_cmb_window_map(struct nvme_cmb_window *win,
			const struct nvme_cmb_ctrl *ctrl)
{
	int ret;

	nvme_cmb_write_cmbmsc(ctrl, 0);
	nvme_cmb_write_cmbmsc(ctrl, NVME_CMBMSC_CRE);

	win->ctrl = ctrl;
	ret = -ENODEV;
	if (nvme_cmb_window_find(win))
		goto out_clear_cmbmsc;

	ret = -ENOMEM;
	win->bar = pci_ioremap_bar(ctrl->pdev, win->geo.bir);
	if (!win->bar)
		goto out_clear_cmbmsc;
	win->base = win->bar + win->geo.offset;
	return 0;

out_clear_cmbmsc:
	nvme_cmb_write_cmbmsc(ctrl, 0);
	return ret;
}

/**
 * nvme_cmb_window_unmap - undo nvme_cmb_window_map()
 * @win: the window; nothing may be using it any more
 *
 * Context: may sleep.
 */
void nvme_cmb_window_unmap(struct nvme_cmb_window *win)
{
	iounmap(win->bar);
	nvme_cmb_window_disable(win);
}

/**
 * nvme_cmb_window_disable - leave the CMB disabled for who comes next
 * @win: the window
 *
 * Nothing but an unplug is sure to clear CMBMSC, so that a later owner might find
 * memory of ours at an address of its own.
 *
 * Context: any.
 */
void nvme_cmb_window_disable(const struct nvme_cmb_window *win)
{
	nvme_cmb_write_cmbmsc(win->ctrl, 0);
}

/**
 * nvme_cmb_window_restore - find the CMB again after the controller was reset
 * @win: the window; nobody may be copying
 *
 * A reset of the function clears CMBMSC (1.4, 3.1.20); QEMU's does not, which is
 * as good.
 *
 * Context: may sleep.
 * Return: 0, or an errno if this is not the window that was mapped.
 */
int nvme_cmb_window_restore(const struct nvme_cmb_window *win)
{
	int ret = nvme_cmb_ctrl_disable(win->ctrl);

	if (ret)
		return ret;
	nvme_cmb_write_cmbmsc(win->ctrl, NVME_CMBMSC_CRE);
	return nvme_cmb_window_intact(win) ? 0 : -ENODEV;
}

/**
 * nvme_cmb_window_intact - is this still the window that was mapped?
 * @win: the window
 *
 * Whoever answers after a silence may be another controller, or the same one after
 * a reset that nobody told the driver of. The latter has CMBMSC.CRE clear, and so
 * reads CMBLOC and CMBSZ as 0 (1.4, 3.1.12).
 *
 * Context: any.
 * Return: true if all registers read as they did at probe.
 */
bool nvme_cmb_window_intact(const struct nvme_cmb_window *win)
{
	const struct nvme_cmb_ctrl *ctrl = win->ctrl;

	return hi_lo_readq(ctrl->regs + NVME_REG_CAP) == ctrl->cap &&
	       readl(ctrl->regs + NVME_REG_CMBLOC) == win->cmbloc &&
	       readl(ctrl->regs + NVME_REG_CMBSZ) == win->cmbsz &&
	       nvme_cmb_ctrl_alive(ctrl);
}
