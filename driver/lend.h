/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nvme_cmb and nvme_cmb_pmem agree on.
 */
#ifndef NVME_CMB_LEND_H
#define NVME_CMB_LEND_H

#include <linux/auxiliary_bus.h>
#include <linux/ioport.h>

struct nvme_cmb_window;

/**
 * struct nvme_cmb_loan - a PMR that is lent to libnvdimm
 * @adev: what nvme_cmb_pmem binds to; its parent is the PCI function
 * @res: where the PMR lies
 * @win: the PMR, enabled but not mapped, so that only its registers are in reach
 * @flush: makes persist what was written; 0 or -EIO
 */
struct nvme_cmb_loan {
	struct auxiliary_device adev;
	struct resource res;
	const struct nvme_cmb_window *win;
	int (*flush)(const struct nvme_cmb_window *win);
};

#endif
