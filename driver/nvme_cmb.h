/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nvme_cmb: the Controller Memory Buffer of an NVMe controller as a disk.
 *
 * Calls go down this list only:
 *
 *	pci.c		binds to the device, builds all that follows in order
 *	window.c	the CMB: found, enabled, mapped
 *	ctrl.c		the controller: alive? disabled?
 *	regs.c		what the registers' values mean
 */
#ifndef NVME_CMB_H
#define NVME_CMB_H

#include <linux/pci.h>

#include "regs.h"

/**
 * struct nvme_cmb_ctrl - the NVMe controller
 * @pdev: its PCI function
 * @regs: BAR 0
 * @cap: CAP, as read at probe
 * @vs: VS, as read at probe; see nvme_cmb_ctrl_alive()
 */
struct nvme_cmb_ctrl {
	struct pci_dev *pdev;
	void __iomem *regs;
	u64 cap;
	u32 vs;
};

int nvme_cmb_ctrl_map(struct nvme_cmb_ctrl *ctrl, struct pci_dev *pdev);
void nvme_cmb_ctrl_unmap(struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_disable(const struct nvme_cmb_ctrl *ctrl);

/**
 * struct nvme_cmb_window - the CMB as the CPU sees it
 * @ctrl: the controller that owns it
 * @geo: where it lies
 * @bar: mapping of BAR @geo.bir
 * @base: first byte of the CMB in that mapping
 */
struct nvme_cmb_window {
	const struct nvme_cmb_ctrl *ctrl;
	struct nvme_cmb_geometry geo;
	void __iomem *bar;
	void __iomem *base;
};

bool nvme_cmb_window_present(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_window_map(struct nvme_cmb_window *win,
			const struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_window_unmap(struct nvme_cmb_window *win);

#endif
