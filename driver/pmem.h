/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PMR for libnvdimm. What nvme_cmb and nvme_cmb_pmem share.
 */
#ifndef NVME_CMB_PMEM_H
#define NVME_CMB_PMEM_H

#include <linux/atomic.h>
#include <linux/auxiliary_bus.h>
#include <linux/ioport.h>

#include "memory.h"

/**
 * struct nvme_cmb_pmem_dev - the device that nvme_cmb_pmem binds to
 * @user: it is a user of the window
 * @adev: the auxiliary device; its parent is the PCI function
 * @res: where the PMR is
 * @win: the PMR, enabled but not mapped: only its registers can be accessed here
 * @flush: make persistent what was stored; 0 or -EIO; for any context
 * @holds: how many reasons there are why stores may be lost at this moment
 * @losses: how often stores may have been lost so far
 * @reported: how many of @losses a flush has reported
 */
struct nvme_cmb_pmem_dev {
	struct nvme_cmb_user user;
	struct auxiliary_device adev;
	struct resource res;
	const struct nvme_cmb_window *win;
	int (*flush)(struct nvme_cmb_pmem_dev *pmem);
	atomic_t holds;
	atomic_t losses;
	atomic_t reported;
};

/* Without it the compiler drops the calls of these functions, which are not there then. */
#define NVME_CMB_HAVE_PMEM \
	(IS_ENABLED(CONFIG_AUXILIARY_BUS) && IS_ENABLED(CONFIG_LIBNVDIMM))

bool nvme_cmb_pmem_usable(const struct nvme_cmb_window *win);
struct nvme_cmb_user *nvme_cmb_pmem_add(const struct nvme_cmb_window *win);

#endif
