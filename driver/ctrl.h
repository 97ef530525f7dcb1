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
bool nvme_cmb_ctrl_same(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_present(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_disconnected(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_disable(const struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_shutdown(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_lock_cfg(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_unlock_cfg(struct nvme_cmb_ctrl *ctrl, bool locked);

#define NVME_CMB_SILENCE_NS	(5 * NSEC_PER_MSEC)

/* How often to copy what took longer than that, before it is an error */
#define NVME_CMB_TRIES		1000

/**
 * nvme_cmb_is_fresh - was it only now that the controller was seen alive?
 * @seen_ns: when it was, by ktime_get_ns()
 * @now_ns: now, likewise
 *
 * A controller that answered before a copy and after it may have been silent in
 * between, if the copy was interrupted for long enough. Nothing in its registers
 * would show that; only the clock does. What is copied between two sights is good
 * if this holds from the one to the other. A silence of NVME_CMB_SILENCE_NS is never
 * missed. (jiffies would not do: in a guest they stand still while the CPU that
 * counts them is not running.)
 *
 * Return: true for less than NVME_CMB_SILENCE_NS.
 */
static inline bool nvme_cmb_is_fresh(u64 seen_ns, u64 now_ns)
{
	return now_ns - seen_ns < NVME_CMB_SILENCE_NS;
}

/*
 * For what others wait for: it is not to be preempted. On PREEMPT_RT all that others wait for
 * may be, and waking them up has to be.
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
