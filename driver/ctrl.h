/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The controller.
 */
#ifndef NVME_CMB_CTRL_H
#define NVME_CMB_CTRL_H

#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/timer.h>

#include "compat.h"

/**
 * struct nvme_cmb_ctrl - the NVMe controller
 * @pdev: its PCI function
 * @regs: BAR 0
 * @cap: CAP, as read at probe
 * @vs: VS, as read at probe; see nvme_cmb_ctrl_alive()
 * @cfg: for nvme_cmb_ctrl_lock_cfg()
 * @cfg.holders: copies under way that keep user space from configuration space, and one more
 *	until @cfg.timer expires
 * @cfg.expired: they have kept it away for long enough
 * @cfg.timer: sets that
 * @cfg.lock: serialises those who begin to keep it away
 * @cfg.free_ns: when it was let in last, by ktime_get_ns()
 */
struct nvme_cmb_ctrl {
	struct pci_dev *pdev;
	void __iomem *regs;
	u64 cap;
	u32 vs;
	struct {
		atomic_t holders;
		bool expired;
		struct timer_list timer;
		spinlock_t lock;	/* to begin */
		u64 free_ns;
	} cfg;
};

int nvme_cmb_ctrl_map(struct nvme_cmb_ctrl *ctrl, struct pci_dev *pdev);
void nvme_cmb_ctrl_unmap(struct nvme_cmb_ctrl *ctrl);
u64 nvme_cmb_ctrl_bar_len(const struct nvme_cmb_ctrl *ctrl, unsigned int bir);
bool nvme_cmb_ctrl_answers(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_regs_match(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_present(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_disconnected(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_disable(const struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_shutdown(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_lock_cfg(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_unlock_cfg(struct nvme_cmb_ctrl *ctrl, bool locked);

#define NVME_CMB_MAX_CHECK_GAP_NS	(5 * NSEC_PER_MSEC)

/* How many copies in a row may take longer than that, before it is an error */
#define NVME_CMB_TRIES		1000

/**
 * nvme_cmb_check_gap_ok - are two checks of the controller close enough to each other?
 * @checked_ns: time of the first, by ktime_get_ns()
 * @now_ns: time of the second, likewise
 *
 * A controller that answers before a copy and after it may have been away in between, if
 * the copy was interrupted for long enough. No register tells of that, but the clock does.
 * An absence of NVME_CMB_MAX_CHECK_GAP_NS or more is never missed. (jiffies would not do: in a
 * guest they stand still while the CPU that counts them does not run.)
 *
 * Return: true for less than NVME_CMB_MAX_CHECK_GAP_NS.
 */
static inline bool nvme_cmb_check_gap_ok(u64 checked_ns, u64 now_ns)
{
	return now_ns - checked_ns < NVME_CMB_MAX_CHECK_GAP_NS;
}

/*
 * For code that other tasks wait for: it must not be preempted. On PREEMPT_RT the owner of
 * any lock may be preempted, and code that wakes up others has to be preemptible.
 */
static inline void nvme_cmb_preempt_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
}

static inline void nvme_cmb_preempt_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

#endif
