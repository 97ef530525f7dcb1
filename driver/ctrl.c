// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller: references to it, its state, its registers.
 */
#include <linux/idr.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/nvme.h>

#include "ctrl.h"

static DEFINE_IDA(nvme_cmb_ida);

/*
 * A read that nobody answers returns all-ones on a PCI bus, and all-zeros in QEMU. VS is
 * neither in any controller: the lowest version is 1.0.
 */
static bool nvme_cmb_is_vs(u32 vs)
{
	return vs != 0 && vs != U32_MAX;
}

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
 * nvme_cmb_ctrl_init - begin the life of a controller
 * @ctrl: all zeros; the caller has the first reference
 * @pdev: its PCI function
 * @release: called when the last reference is gone; frees @ctrl
 *
 * Context: any.
 */
void nvme_cmb_ctrl_init(struct nvme_cmb_ctrl *ctrl, struct pci_dev *pdev,
			void (*release)(struct nvme_cmb_ctrl *ctrl))
{
	kref_init(&ctrl->ref);
	ctrl->release = release;
	ctrl->state = NVME_CMB_CTRL_NEW;
	ctrl->index = -1;
	ctrl->pdev = pdev;
	spin_lock_init(&ctrl->cfg.lock);
	timer_setup(&ctrl->cfg.timer, nvme_cmb_ctrl_cfg_expired, 0);
}

/**
 * nvme_cmb_ctrl_get - take a reference
 * @ctrl: the controller
 *
 * Context: any.
 */
void nvme_cmb_ctrl_get(struct nvme_cmb_ctrl *ctrl)
{
	kref_get(&ctrl->ref);
}

static void nvme_cmb_ctrl_release(struct kref *ref)
{
	struct nvme_cmb_ctrl *ctrl = container_of(ref, struct nvme_cmb_ctrl, ref);

	if (ctrl->index >= 0)
		ida_free(&nvme_cmb_ida, ctrl->index);
	ctrl->release(ctrl);
}

/**
 * nvme_cmb_ctrl_put - drop a reference
 * @ctrl: the controller, which may be gone when this returns
 *
 * Context: any.
 */
void nvme_cmb_ctrl_put(struct nvme_cmb_ctrl *ctrl)
{
	kref_put(&ctrl->ref, nvme_cmb_ctrl_release);
}

/**
 * nvme_cmb_ctrl_get_index - the number for the names of the controller's disks
 * @ctrl: the controller
 *
 * All disks of a controller have the same number. No other controller gets it as long as
 * someone has a reference.
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 * Return: the number, or an errno.
 */
int nvme_cmb_ctrl_get_index(struct nvme_cmb_ctrl *ctrl)
{
	if (ctrl->index < 0)
		ctrl->index = ida_alloc(&nvme_cmb_ida, GFP_KERNEL);
	return ctrl->index;
}

/**
 * nvme_cmb_ctrl_set_state - change the state
 * @ctrl: the controller
 * @state: the new state; nothing changes if the controller is dead
 *
 * Context: any.
 */
void nvme_cmb_ctrl_set_state(struct nvme_cmb_ctrl *ctrl,
			     enum nvme_cmb_ctrl_state state)
{
	enum nvme_cmb_ctrl_state old = READ_ONCE(ctrl->state);

	while (old != NVME_CMB_CTRL_DEAD &&
	       !try_cmpxchg(&ctrl->state, &old, state))
		;
}

/**
 * nvme_cmb_ctrl_map - map BAR 0 and meet the controller
 * @ctrl: its PCI function is enabled, its BAR 0 requested
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM if BAR 0 cannot be mapped, -ENODEV if it is too small or nothing
 * answers there.
 */
int nvme_cmb_ctrl_map(struct nvme_cmb_ctrl *ctrl)
{
	struct pci_dev *pdev = ctrl->pdev;

	if (pci_resource_len(pdev, 0) < NVME_REG_DBS) {
		pci_info(pdev, "declined: BAR 0 is too small for NVMe registers\n");
		return -ENODEV;
	}

	ctrl->regs = pci_ioremap_bar(pdev, 0);
	if (!ctrl->regs)
		return -ENOMEM;

	ctrl->cap = lo_hi_readq(ctrl->regs + NVME_REG_CAP);
	ctrl->vs = readl(ctrl->regs + NVME_REG_VS);
	if (!nvme_cmb_is_vs(ctrl->vs)) {
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
	/* The timer may still hold the lock since the last copy. */
	if (timer_delete_sync(&ctrl->cfg.timer))
		nvme_cmb_ctrl_cfg_expired(&ctrl->cfg.timer);
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
 * nvme_cmb_ctrl_answers - does any controller answer?
 * @ctrl: the controller, which may not be what it was
 *
 * Context: any.
 * Return: true if one does, be it another one than at probe.
 */
bool nvme_cmb_ctrl_answers(const struct nvme_cmb_ctrl *ctrl)
{
	return nvme_cmb_is_vs(readl(ctrl->regs + NVME_REG_VS));
}

/**
 * nvme_cmb_ctrl_regs_match - is it the controller that was probed?
 * @ctrl: the controller
 *
 * Context: any.
 * Return: true if CAP and VS read as they did.
 */
bool nvme_cmb_ctrl_regs_match(const struct nvme_cmb_ctrl *ctrl)
{
	return lo_hi_readq(ctrl->regs + NVME_REG_CAP) == ctrl->cap &&
	       nvme_cmb_ctrl_alive(ctrl);
}

/**
 * nvme_cmb_ctrl_alive - does the controller still answer?
 * @ctrl: the controller
 *
 * This read proves two things. A read on PCI does not pass a posted write: what was written
 * before has arrived when the read returns. And only a controller that decodes its BARs
 * answers with the VS of probe.
 *
 * Context: any.
 * Return: true if it does.
 */
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl)
{
	/* First the CPU completes its own loads and stores. */
	mb();
	return readl(ctrl->regs + NVME_REG_VS) == ctrl->vs;
}

/**
 * nvme_cmb_ctrl_present - is there still a device at all?
 * @ctrl: the controller, which does not answer
 *
 * A device whose memory does not answer may be in a reset, or have its decoders switched
 * off. A device whose configuration space does not answer is unplugged, without power, or
 * behind a port that contains an error. It may come back.
 *
 * Context: any.
 * Return: true if its configuration space answers.
 */
bool nvme_cmb_ctrl_present(const struct nvme_cmb_ctrl *ctrl)
{
	return pci_device_is_present(ctrl->pdev);
}

/**
 * nvme_cmb_ctrl_disconnected - has the device left for good?
 * @ctrl: the controller
 *
 * Linux marks a device that was pulled out, and one that could not be recovered. It never
 * removes that mark, whatever answers.
 *
 * Context: any.
 * Return: true if it has. It is not present then, either.
 */
bool nvme_cmb_ctrl_disconnected(const struct nvme_cmb_ctrl *ctrl)
{
	/* pci_dev_is_disconnected() is for the PCI core only. */
	return READ_ONCE(ctrl->pdev->error_state) ==
	       pci_channel_io_perm_failure;
}

/**
 * nvme_cmb_ctrl_disable - disable the controller
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
int nvme_cmb_ctrl_disable(struct nvme_cmb_ctrl *ctrl)
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

/**
 * nvme_cmb_ctrl_shutdown - tell the controller that its power may go
 * @ctrl: the controller, disabled
 *
 * A drive that was not told counts an unsafe shutdown. The queues would have to be deleted
 * first (1.4, 7.6.2), and are gone since CC.EN was cleared. To clear CC.EN after this would
 * be a reset, and would end the shutdown. Only an enabled controller tells how long its
 * shutdown takes. The driver waits a second, as for controllers that do not tell.
 *
 * Context: may sleep, for a second at most.
 */
void nvme_cmb_ctrl_shutdown(struct nvme_cmb_ctrl *ctrl)
{
	u32 cc = readl(ctrl->regs + NVME_REG_CC) & ~NVME_CC_SHN_MASK;
	u32 csts;

	writel(cc | NVME_CC_SHN_NORMAL, ctrl->regs + NVME_REG_CC);
	if (readl_poll_timeout(ctrl->regs + NVME_REG_CSTS, csts,
			       (csts & NVME_CSTS_SHST_MASK) ==
			       NVME_CSTS_SHST_CMPLT || csts == U32_MAX,
			       USEC_PER_MSEC, USEC_PER_SEC))
		pci_warn(ctrl->pdev, "not shut down after 1 s: CSTS 0x%08x\n",
			 csts);
}

/*
 * How long user space may be kept from configuration space, and how long it gets then. That
 * is long enough to wake up a task that waits there, on another CPU.
 */
#define NVME_CMB_CFG_HOLD_MS	10
#define NVME_CMB_CFG_PAUSE_NS	(50 * NSEC_PER_USEC)

/* How long a copy waits for user space's turn to end. A flush may take longer than that. */
#define NVME_CMB_CFG_WAIT_NS	(2 * NSEC_PER_MSEC)

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
