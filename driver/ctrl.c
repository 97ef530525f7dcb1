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
	mutex_init(&ctrl->mutex);
	nvme_cmb_control_init(&ctrl->control);
	nvme_cmb_ctrl_init_cfg(ctrl);
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

	nvme_cmb_control_put_nodes(&ctrl->control);
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
 * Whoever polls the attribute is told.
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
	if (old != NVME_CMB_CTRL_DEAD && old != state)
		nvme_cmb_control_notify(&ctrl->control, NVME_CMB_EVENT_STATE);
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
	nvme_cmb_ctrl_stop_cfg(ctrl);
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

static void nvme_cmb_ctrl_stop_queues(struct nvme_cmb_ctrl *ctrl)
{
	unsigned int i;

	WRITE_ONCE(ctrl->nr_io, 0);
	for (i = 0; i < ctrl->nr_queues; i++)
		nvme_cmb_queue_stop(&ctrl->queues[i]);
}

/**
 * nvme_cmb_ctrl_busy - does the controller have I/O commands?
 * @ctrl: the controller
 *
 * Admin commands do not count: none of them writes to the CMB, and one waits for an event.
 *
 * Context: any. Nobody may free the queues meanwhile.
 * Return: true if it has some at this moment.
 */
bool nvme_cmb_ctrl_busy(const struct nvme_cmb_ctrl *ctrl)
{
	unsigned int i;

	for (i = 1; i < ctrl->nr_queues; i++)
		if (nvme_cmb_queue_busy(&ctrl->queues[i]))
			return true;
	return false;
}

/*
 * End all commands. A controller that is there, and was not disabled, may still carry them out:
 * clearing bus mastering does not stop what QEMU has begun. It is disabled as soon as it answers.
 */
static void nvme_cmb_ctrl_cancel_queues(struct nvme_cmb_ctrl *ctrl, bool disabled)
{
	bool lost = !disabled && nvme_cmb_ctrl_present(ctrl);
	unsigned int i;

	/* Before: whoever is told may write to the CMB at once. */
	if (!lost)
		WRITE_ONCE(ctrl->stray, false);
	else if (nvme_cmb_ctrl_busy(ctrl))
		WRITE_ONCE(ctrl->stray, true);
	if (ctrl->stray)
		queue_delayed_work(system_freezable_wq, &ctrl->reset, HZ / 4);
	for (i = 0; i < ctrl->nr_queues; i++)
		nvme_cmb_queue_cancel(&ctrl->queues[i],
				      lost ? NVME_CMB_LOST : NVME_CMB_CANCELLED);
}

/**
 * nvme_cmb_ctrl_timeout_us - how long CSTS.RDY may take to follow CC.EN
 * @ctrl: the controller
 *
 * Context: any.
 * Return: CAP.TO (1.4, 3.1.1: units of 500 ms) and one unit more, in microseconds.
 */
u64 nvme_cmb_ctrl_timeout_us(const struct nvme_cmb_ctrl *ctrl)
{
	return (NVME_CAP_TIMEOUT(ctrl->cap) + 1) * 500 * USEC_PER_MSEC;
}

static int nvme_cmb_ctrl_clear_en(struct nvme_cmb_ctrl *ctrl)
{
	u64 timeout_us = nvme_cmb_ctrl_timeout_us(ctrl);
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
 * nvme_cmb_ctrl_disable_locked - nvme_cmb_ctrl_disable() for those who have @ctrl->mutex
 * @ctrl: the controller
 *
 * Context: may sleep.
 * Return: as nvme_cmb_ctrl_disable().
 */
int nvme_cmb_ctrl_disable_locked(struct nvme_cmb_ctrl *ctrl)
{
	int ret;

	nvme_cmb_ctrl_stop_queues(ctrl);
	ret = nvme_cmb_ctrl_clear_en(ctrl);
	if (ret)
		pci_clear_master(ctrl->pdev);
	nvme_cmb_ctrl_cancel_queues(ctrl, !ret);
	return ret;
}

/**
 * nvme_cmb_ctrl_disable - disable the controller
 * @ctrl: the controller
 *
 * Firmware and other drivers leave controllers enabled. Clear CC.EN and wait
 * for CSTS.RDY to follow, for as long as CAP.TO allows. All commands end.
 *
 * Context: may sleep.
 * Return: 0, -ETIMEDOUT if CSTS.RDY stays set, -ENODEV if the controller
 * stopped answering.
 */
int nvme_cmb_ctrl_disable(struct nvme_cmb_ctrl *ctrl)
{
	int ret;

	mutex_lock(&ctrl->mutex);
	ret = nvme_cmb_ctrl_disable_locked(ctrl);
	mutex_unlock(&ctrl->mutex);
	return ret;
}

/**
 * nvme_cmb_ctrl_cancel - end all commands of a controller that does not answer
 * @ctrl: the controller
 *
 * Context: may sleep.
 */
void nvme_cmb_ctrl_cancel(struct nvme_cmb_ctrl *ctrl)
{
	mutex_lock(&ctrl->mutex);
	nvme_cmb_ctrl_stop_queues(ctrl);
	pci_clear_master(ctrl->pdev);
	nvme_cmb_ctrl_cancel_queues(ctrl, false);
	mutex_unlock(&ctrl->mutex);
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
