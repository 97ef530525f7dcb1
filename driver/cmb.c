// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Controller Memory Buffer: a window of which an emulator traps every access.
 */
#include <linux/io-64-nonatomic-hi-lo.h>
#include <linux/nvme.h>

#include "memory.h"

/* CAP.CMBS announces a CMB since NVMe 1.4; before, CMBSZ shows one outright. */
static bool nvme_cmb_cmb_present(const struct nvme_cmb_ctrl *ctrl)
{
	return NVME_CAP_CMBS(ctrl->cap) ||
	       readl(ctrl->regs + NVME_REG_CMBSZ) != 0;
}

/*
 * CMBMSC outlives a reset by CC.EN, and in QEMU every reset, so what stands in it may be
 * from another age. QEMU acts on the write to the low half: the high half has to be
 * there by then.
 */
static void nvme_cmb_write_cmbmsc(const struct nvme_cmb_ctrl *ctrl, u64 cmbmsc)
{
	if (NVME_CAP_CMBS(ctrl->cap))
		hi_lo_writeq(cmbmsc, ctrl->regs + NVME_REG_CMBMSC);
}

/*
 * CMBMSC.CRE makes CMBLOC and CMBSZ readable (1.4, 3.1.20). CMBMSC.CMSE and CBA stay
 * clear: they give the CMB an address in the controller's own commands, and the CPU
 * needs none.
 */
static void nvme_cmb_cmb_enable(const struct nvme_cmb_ctrl *ctrl)
{
	nvme_cmb_write_cmbmsc(ctrl, 0);
	nvme_cmb_write_cmbmsc(ctrl, NVME_CMBMSC_CRE);
}

static void nvme_cmb_cmb_disable(const struct nvme_cmb_window *win)
{
	nvme_cmb_write_cmbmsc(win->ctrl, 0);
}

static int nvme_cmb_cmb_open(struct nvme_cmb_window *win)
{
	const struct nvme_cmb_ctrl *ctrl = win->ctrl;
	const char *wrong;

	nvme_cmb_cmb_enable(ctrl);
	win->cmbloc = readl(ctrl->regs + NVME_REG_CMBLOC);
	win->cmbsz = readl(ctrl->regs + NVME_REG_CMBSZ);
	wrong = nvme_cmb_decode(win->cmbloc, win->cmbsz, &win->geo);
	if (!wrong)
		wrong = nvme_cmb_clamp(&win->geo,
				       nvme_cmb_ctrl_bar_len(ctrl,
							     win->geo.bir));
	if (!wrong)
		return 0;

	pci_info(ctrl->pdev, "CMB declined: %s (CMBLOC 0x%08x, CMBSZ 0x%08x)\n",
		 wrong, win->cmbloc, win->cmbsz);
	nvme_cmb_cmb_disable(win);
	return -ENODEV;
}

/*
 * Where CMBMSC.CRE is clear CMBLOC and CMBSZ read as 0 (1.4, 3.1.12): so does another
 * device in this one's place, or this one when it was without power.
 */
static bool nvme_cmb_cmb_same(const struct nvme_cmb_window *win)
{
	void __iomem *regs = win->ctrl->regs;

	return readl(regs + NVME_REG_CMBLOC) == win->cmbloc &&
	       readl(regs + NVME_REG_CMBSZ) == win->cmbsz;
}

/* What has cleared CMBMSC.CRE may have taken what was in the memory, too. */
static int nvme_cmb_cmb_enable_again(const struct nvme_cmb_window *win)
{
	return nvme_cmb_cmb_same(win) ? 0 : -ENODATA;
}

const struct nvme_cmb_kind nvme_cmb_kind_cmb = {
	.name		= "cmb",
	.present	= nvme_cmb_cmb_present,
	.open		= nvme_cmb_cmb_open,
	.enable		= nvme_cmb_cmb_enable_again,
	.disable	= nvme_cmb_cmb_disable,
	.same		= nvme_cmb_cmb_same,
};
