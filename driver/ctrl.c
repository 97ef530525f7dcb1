// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller: is it there, and is it quiet?
 */
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/nvme.h>

#include "nvme_cmb.h"

/**
 * nvme_cmb_ctrl_map - map BAR 0 and meet the controller
 * @ctrl: filled in on success
 * @pdev: PCI function, enabled, its BAR 0 requested
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM if BAR 0 cannot be mapped, -ENODEV if it is too small or nothing
 * answers there.
 */
int nvme_cmb_ctrl_map(struct nvme_cmb_ctrl *ctrl, struct pci_dev *pdev)
{
	if (pci_resource_len(pdev, 0) < NVME_REG_DBS) {
		pci_info(pdev, "declined: BAR 0 is too small for NVMe registers\n");
		return -ENODEV;
	}

	ctrl->pdev = pdev;
	ctrl->regs = pci_ioremap_bar(pdev, 0);
	if (!ctrl->regs)
		return -ENOMEM;

	ctrl->cap = lo_hi_readq(ctrl->regs + NVME_REG_CAP);
	ctrl->vs = readl(ctrl->regs + NVME_REG_VS);

	/*
	 * A read that nobody answers is all-ones on a PCI bus, and all-zeros
	 * in QEMU. VS is neither in any controller: it begins at 1.0.
	 */
	if (ctrl->vs == 0 || ctrl->vs == U32_MAX) {
		pci_info(pdev, "declined: no controller answers, VS reads 0x%08x\n",
			 ctrl->vs);
		nvme_cmb_ctrl_unmap(ctrl);
		return -ENODEV;
	}
	return 0;
}

/**
 * nvme_cmb_ctrl_unmap - undo nvme_cmb_ctrl_map()
 * @ctrl: the controller
 */
void nvme_cmb_ctrl_unmap(struct nvme_cmb_ctrl *ctrl)
{
	iounmap(ctrl->regs);
}

/**
 * nvme_cmb_ctrl_bar_len - length of a memory BAR
 * @ctrl: the controller
 * @bir: the BAR's number, 0 to 5
 *
 * Return: its length, 0 if it is not a memory BAR.
 */
u64 nvme_cmb_ctrl_bar_len(const struct nvme_cmb_ctrl *ctrl, unsigned int bir)
{
	if (!(pci_resource_flags(ctrl->pdev, bir) & IORESOURCE_MEM))
		return 0;
	return pci_resource_len(ctrl->pdev, bir);
}

/**
 * nvme_cmb_ctrl_alive - does the controller still answer?
 * @ctrl: the controller
 *
 * One read serves twice: PCI lets no read pass a posted write, so all that
 * was written to its memory before has landed when it returns; and only a
 * controller that decodes its BARs answers with the VS seen at probe.
 *
 * Context: any.
 * Return: true if it does.
 */
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl)
{
	/* The CPU, too, has stores to send on, and loads to complete, first. */
	mb();
	return readl(ctrl->regs + NVME_REG_VS) == ctrl->vs;
}

/**
 * nvme_cmb_ctrl_present - is there still a device at all?
 * @ctrl: the controller, which does not answer
 *
 * A device whose memory does not answer may be in a reset, or have its decoders
 * switched off; one whose configuration space does not is unplugged or without
 * power.
 *
 * Context: any.
 * Return: true if its configuration space answers.
 */
bool nvme_cmb_ctrl_present(const struct nvme_cmb_ctrl *ctrl)
{
	return pci_device_is_present(ctrl->pdev);
}

/**
 * nvme_cmb_ctrl_disable - take the controller out of its last owner's hands
 * @ctrl: the controller
 *
 * Firmware and other drivers leave controllers enabled. Clear CC.EN and wait
 * for CSTS.RDY to follow, for as long as CAP.TO allows (1.4, 3.1.1: units of
 * 500 ms).
 *
 * Context: may sleep.
 * Return: 0, -ETIMEDOUT if CSTS.RDY stays set, -ENODEV if the controller
 * stopped answering.
 */
int nvme_cmb_ctrl_disable(const struct nvme_cmb_ctrl *ctrl)
{
	u64 timeout_us = (NVME_CAP_TIMEOUT(ctrl->cap) + 1) * 500 * USEC_PER_MSEC;
	u32 cc = readl(ctrl->regs + NVME_REG_CC);
	u32 csts;
	int ret;

	writel(cc & ~(NVME_CC_ENABLE | NVME_CC_SHN_MASK),
	       ctrl->regs + NVME_REG_CC);
	ret = readl_poll_timeout(ctrl->regs + NVME_REG_CSTS, csts,
				 !(csts & NVME_CSTS_RDY) || csts == U32_MAX,
				 100, timeout_us);
	if (!nvme_cmb_ctrl_alive(ctrl)) {
		pci_err(ctrl->pdev, "no controller answers any more\n");
		return -ENODEV;
	}
	if (ret)
		pci_err(ctrl->pdev, "not disabled after %llu ms: CSTS 0x%08x\n",
			timeout_us / USEC_PER_MSEC, csts);
	return ret;
}
