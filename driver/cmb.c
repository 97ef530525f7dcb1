// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Controller Memory Buffer. An emulator traps every access to it.
 */
#include <linux/io-64-nonatomic-hi-lo.h>
#include <linux/nvme.h>

#include "memory.h"

/* CAP.CMBS tells of a CMB since NVMe 1.4. Before, CMBSZ could be read at any time. */
static bool nvme_cmb_cmb_present(const struct nvme_cmb_ctrl *ctrl)
{
	return NVME_CAP_CMBS(ctrl->cap) ||
	       readl(ctrl->regs + NVME_REG_CMBSZ) != 0;
}

/*
 * A reset by CC.EN does not clear CMBMSC, and in QEMU no reset does: what is in it may be of
 * an earlier owner. QEMU acts on the write to the low half. So the high half is written
 * first.
 */
static void nvme_cmb_write_cmbmsc(const struct nvme_cmb_ctrl *ctrl, u64 cmbmsc)
{
	if (NVME_CAP_CMBS(ctrl->cap))
		hi_lo_writeq(cmbmsc, ctrl->regs + NVME_REG_CMBMSC);
}

/*
 * CMBMSC.CRE makes CMBLOC and CMBSZ readable (1.4, 3.1.20). The CPU does not need
 * CMBMSC.CMSE and CBA: see nvme_cmb_cmb_set_bus().
 */
static void nvme_cmb_cmb_enable(const struct nvme_cmb_ctrl *ctrl)
{
	nvme_cmb_write_cmbmsc(ctrl, 0);
	nvme_cmb_write_cmbmsc(ctrl, NVME_CMBMSC_CRE);
}

/**
 * nvme_cmb_cmb_set_bus - let commands have data in the CMB, or no more (1.4, 3.1.20)
 * @ctrl: the controller, whose CMB is enabled
 * @bus: the address that its first byte has in the pointers of commands; 0 for none
 *
 * A CMB of before NVMe 1.4 has its bus address, and needs nothing.
 *
 * Context: any.
 */
void nvme_cmb_cmb_set_bus(const struct nvme_cmb_ctrl *ctrl, u64 bus)
{
	nvme_cmb_write_cmbmsc(ctrl, NVME_CMBMSC_CRE | (bus ? NVME_CMBMSC_CMSE | bus : 0));
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
 * CMBLOC and CMBSZ read as 0 if CMBMSC.CRE is clear (1.4, 3.1.12). It is clear in another
 * device in this one's place, and in this one after a loss of power.
 */
static bool nvme_cmb_cmb_regs_match(const struct nvme_cmb_window *win)
{
	void __iomem *regs = win->ctrl->regs;

	return readl(regs + NVME_REG_CMBLOC) == win->cmbloc &&
	       readl(regs + NVME_REG_CMBSZ) == win->cmbsz;
}

/* A reset that has cleared CMBMSC.CRE may have cleared the memory, too. */
static int nvme_cmb_cmb_revalidate(const struct nvme_cmb_window *win)
{
	return nvme_cmb_cmb_regs_match(win) ? 0 : -ENODATA;
}

const struct nvme_cmb_kind nvme_cmb_kind_cmb = {
	.name		= "cmb",
	.present	= nvme_cmb_cmb_present,
	.open		= nvme_cmb_cmb_open,
	.revalidate	= nvme_cmb_cmb_revalidate,
	.disable	= nvme_cmb_cmb_disable,
	.regs_match	= nvme_cmb_cmb_regs_match,
};
