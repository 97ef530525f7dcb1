/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All there is of one controller, for the callbacks of the PCI core.
 */
#ifndef NVME_CMB_PCI_H
#define NVME_CMB_PCI_H

#include <linux/pm.h>

#include "region.h"

/**
 * struct nvme_cmb_dev - all there is of one controller, in drvdata
 * @ctrl: the controller; its references keep this structure, too
 * @regions: its memories
 * @saved: its configuration space after probe, for a reset that clears it
 * @recovery_timeout: ends a recovery that takes too long
 * @replace: makes new disks of memories that have lost what they held
 */
struct nvme_cmb_dev {
	struct nvme_cmb_ctrl ctrl;
	struct nvme_cmb_regions regions;
	struct pci_saved_state *saved;
	struct delayed_work recovery_timeout;
	struct delayed_work replace;
};

extern const struct dev_pm_ops nvme_cmb_pm_ops;
extern const struct pci_error_handlers nvme_cmb_err_handler;

void nvme_cmb_reset_init(struct nvme_cmb_dev *dev);
int nvme_cmb_sleep_register(void);
void nvme_cmb_sleep_unregister(void);

#endif
