/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nvme_cmb and nvme_cmb_pmem agree on.
 */
#ifndef NVME_CMB_PMEM_H
#define NVME_CMB_PMEM_H

#include <linux/atomic.h>
#include <linux/auxiliary_bus.h>
#include <linux/ioport.h>

struct nvme_cmb_window;

/**
 * struct nvme_cmb_pmem_dev - a PMR that is lent to libnvdimm
 * @adev: what nvme_cmb_pmem binds to; its parent is the PCI function
 * @res: where the PMR lies
 * @win: the PMR, enabled but not mapped, so that only its registers are in reach
 * @flush: makes persist what was stored; 0 or -EIO; for any context
 * @holds: for how many reasons stores may get lost at this moment
 * @losses: how often stores may have got lost so far
 * @told: how many of @losses a flush has reported
 */
struct nvme_cmb_pmem_dev {
	struct auxiliary_device adev;
	struct resource res;
	const struct nvme_cmb_window *win;
	int (*flush)(struct nvme_cmb_pmem_dev *pmem);
	atomic_t holds;
	atomic_t losses;
	atomic_t told;
};

#if IS_ENABLED(CONFIG_AUXILIARY_BUS) && IS_ENABLED(CONFIG_LIBNVDIMM)
#define NVME_CMB_HAVE_PMEM	1

bool nvme_cmb_pmem_usable(const struct nvme_cmb_window *win);
struct nvme_cmb_pmem_dev *nvme_cmb_pmem_add(const struct nvme_cmb_window *win);
void nvme_cmb_pmem_del(struct nvme_cmb_pmem_dev *pmem);
void nvme_cmb_pmem_note_loss(struct nvme_cmb_pmem_dev *pmem);
void nvme_cmb_pmem_hold(struct nvme_cmb_pmem_dev *pmem);
void nvme_cmb_pmem_release(struct nvme_cmb_pmem_dev *pmem);
#else
#define NVME_CMB_HAVE_PMEM	0

static inline bool nvme_cmb_pmem_usable(const struct nvme_cmb_window *win)
{
	return false;
}

static inline struct nvme_cmb_pmem_dev *
nvme_cmb_pmem_add(const struct nvme_cmb_window *win)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void nvme_cmb_pmem_del(struct nvme_cmb_pmem_dev *pmem)
{
}

static inline void nvme_cmb_pmem_note_loss(struct nvme_cmb_pmem_dev *pmem)
{
}

static inline void nvme_cmb_pmem_hold(struct nvme_cmb_pmem_dev *pmem)
{
}

static inline void nvme_cmb_pmem_release(struct nvme_cmb_pmem_dev *pmem)
{
}
#endif

#endif
