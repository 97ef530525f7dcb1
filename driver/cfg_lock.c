// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lock that keeps user space from the controller's configuration space.
 */
#include "ctrl.h"

/*
 * How long user space may be kept from configuration space, and how long it gets then. That
 * is long enough to wake up a task that waits there, on another CPU.
 */
#define NVME_CMB_CFG_HOLD_MS	10
#define NVME_CMB_CFG_PAUSE_NS	(50 * NSEC_PER_USEC)

/* How long a copy waits for user space's turn to end. A flush may take longer than that. */
#define NVME_CMB_CFG_WAIT_NS	(2 * NSEC_PER_MSEC)

static void nvme_cmb_ctrl_put_cfg(struct nvme_cmb_ctrl *ctrl)
{
	if (!atomic_dec_and_test(&ctrl->cfg.holders))
		return;
	WRITE_ONCE(ctrl->cfg.free_ns, ktime_get_ns());
	pci_cfg_access_unlock(ctrl->pdev);
}

static void nvme_cmb_ctrl_cfg_expired(struct timer_list *timer)
{
	struct nvme_cmb_ctrl *ctrl = container_of(timer, struct nvme_cmb_ctrl,
						  cfg.timer);

	WRITE_ONCE(ctrl->cfg.expired, true);
	nvme_cmb_ctrl_put_cfg(ctrl);
}

/**
 * nvme_cmb_ctrl_init_cfg - make nvme_cmb_ctrl_lock_cfg() usable
 * @ctrl: the controller
 *
 * Context: any.
 */
void nvme_cmb_ctrl_init_cfg(struct nvme_cmb_ctrl *ctrl)
{
	spin_lock_init(&ctrl->cfg.lock);
	timer_setup(&ctrl->cfg.timer, nvme_cmb_ctrl_cfg_expired, 0);
}

/**
 * nvme_cmb_ctrl_stop_cfg - unlock it, if the time for which it is kept is not over
 * @ctrl: the controller, with no copy under way
 *
 * Context: may sleep.
 */
void nvme_cmb_ctrl_stop_cfg(struct nvme_cmb_ctrl *ctrl)
{
	if (timer_delete_sync(&ctrl->cfg.timer))
		nvme_cmb_ctrl_cfg_expired(&ctrl->cfg.timer);
}

/* No copy has the lock, and user space had its turn. */
static bool nvme_cmb_ctrl_cfg_is_free(struct nvme_cmb_ctrl *ctrl)
{
	return !atomic_read(&ctrl->cfg.holders) &&
	       ktime_get_ns() - READ_ONCE(ctrl->cfg.free_ns) >=
	       NVME_CMB_CFG_PAUSE_NS;
}

/* The lock is kept until the timer expires, for the copies that come until then. */
static bool nvme_cmb_ctrl_take_cfg(struct nvme_cmb_ctrl *ctrl)
{
	u64 end_ns = ktime_get_ns() + NVME_CMB_CFG_WAIT_NS;
	bool locked;

	while (!nvme_cmb_ctrl_cfg_is_free(ctrl))
		if (ktime_get_ns() > end_ns)
			return false;

	spin_lock(&ctrl->cfg.lock);
	locked = !READ_ONCE(ctrl->cfg.expired) &&
		 atomic_inc_not_zero(&ctrl->cfg.holders);
	if (!locked && pci_cfg_access_trylock(ctrl->pdev)) {
		WRITE_ONCE(ctrl->cfg.expired, false);
		/* The timer's, and the caller's */
		atomic_set_release(&ctrl->cfg.holders, 2);
		mod_timer(&ctrl->cfg.timer, jiffies +
			  msecs_to_jiffies(NVME_CMB_CFG_HOLD_MS));
		locked = true;
	}
	spin_unlock(&ctrl->cfg.lock);
	return locked;
}

/**
 * nvme_cmb_ctrl_lock_cfg - keep user space from configuration space
 * @ctrl: the controller
 *
 * A program that writes to configuration space, as setpci does, can switch the memory off
 * and on again within microseconds. No check would notice that in the middle of a copy. The
 * PCI core has a lock against such programs. This function shares it between copies at the
 * same time, and keeps it for NVME_CMB_CFG_HOLD_MS, because locking and unlocking take as
 * long as a copy of 4 KiB from a PMR. The lock is a bit that user space's accesses wait for.
 * So the copy must not sleep or be preempted while the bit is set.
 *
 * The lock does not keep the PCI core itself away, nor a bridge or a slot.
 *
 * This function does not wait for a task that has the lock: it may reset the device, and
 * wait for requests to end. It waits, for NVME_CMB_CFG_WAIT_NS at most, while user space has
 * its turn.
 *
 * Context: process; returns with preemption disabled, but not on PREEMPT_RT; see
 * nvme_cmb_preempt_disable().
 * Return: true if user space is kept away, false if it has its turn or someone else the lock.
 */
bool nvme_cmb_ctrl_lock_cfg(struct nvme_cmb_ctrl *ctrl)
{
	nvme_cmb_preempt_disable();
	if (likely(!READ_ONCE(ctrl->cfg.expired) &&
		   atomic_inc_not_zero(&ctrl->cfg.holders)))
		return true;
	return nvme_cmb_ctrl_take_cfg(ctrl);
}

/**
 * nvme_cmb_ctrl_unlock_cfg - undo nvme_cmb_ctrl_lock_cfg()
 * @ctrl: the controller
 * @locked: what that returned
 *
 * Context: process.
 */
void nvme_cmb_ctrl_unlock_cfg(struct nvme_cmb_ctrl *ctrl, bool locked)
{
	if (locked)
		nvme_cmb_ctrl_put_cfg(ctrl);
	nvme_cmb_preempt_enable();
}
