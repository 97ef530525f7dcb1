// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous events (1.4, 5.2): what the controller reports without having been asked.
 *
 * The controller completes an Asynchronous Event Request when something has happened. It does
 * not report the same kind of event again until the log page of that kind was read. Events may
 * be dropped. So an event says that something has changed, and what it is now is read: by those
 * who poll the attributes of the controller's device.
 */
#include <linux/bitfield.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/nvme.h>
#include <linux/slab.h>

#include "admin.h"
#include "regs.h"

/* Dword 0 of the completion, and Asynchronous Event Configuration (1.4, 5.21.1.11) */
#define NVME_CMB_AEN_TYPE	GENMASK(2, 0)
#define NVME_CMB_AEN_INFO	GENMASK(15, 8)
#define NVME_CMB_AEN_LID	GENMASK(23, 16)
#define NVME_CMB_AEN_CFG_SMART	GENMASK(5, 0)	/* one for each critical warning */

/* The event request stays in the queue for ever, and others need room. */
#define NVME_CMB_AEN_MIN_ENTRIES	8

/* Log pages that events are from: what one has to read of them */
#define NVME_CMB_LOG_LEN	512
#define NVME_CMB_LOG_NS_LEN	(NVME_MAX_CHANGED_NAMESPACES * sizeof(__le32))

static const struct {
	u8 type;
	u8 info;
	const char *name;
} nvme_cmb_aen_names[] = {
	{ NVME_AER_ERROR, 0, "write to an invalid doorbell register" },
	{ NVME_AER_ERROR, 1, "invalid value written to a doorbell" },
	{ NVME_AER_ERROR, 2, "diagnostic failure" },
	{ NVME_AER_ERROR, NVME_AER_ERROR_PERSIST_INT_ERR, "persistent internal error" },
	{ NVME_AER_ERROR, 4, "transient internal error" },
	{ NVME_AER_ERROR, 5, "firmware image load error" },
	{ NVME_AER_SMART, 0, "reliability is degraded" },
	{ NVME_AER_SMART, 1, "temperature is beyond a threshold" },
	{ NVME_AER_SMART, 2, "available spare is below its threshold" },
	{ NVME_AER_NOTICE, NVME_AER_NOTICE_NS_CHANGED, "namespaces have changed" },
};

static const char *nvme_cmb_aen_name(u32 result)
{
	u8 type = FIELD_GET(NVME_CMB_AEN_TYPE, result);
	u8 info = FIELD_GET(NVME_CMB_AEN_INFO, result);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nvme_cmb_aen_names); i++)
		if (nvme_cmb_aen_names[i].type == type && nvme_cmb_aen_names[i].info == info)
			return nvme_cmb_aen_names[i].name;
	return "unknown";
}

static bool nvme_cmb_aen_is_persistent_error(u32 result)
{
	return FIELD_GET(NVME_CMB_AEN_TYPE, result) == NVME_AER_ERROR &&
	       FIELD_GET(NVME_CMB_AEN_INFO, result) == NVME_AER_ERROR_PERSIST_INT_ERR;
}

static void nvme_cmb_aen_done(struct nvme_cmb_cmd *cmd)
{
	struct nvme_cmb_ctrl *ctrl = container_of(cmd, struct nvme_cmb_ctrl, aen.cmd);
	u16 status = cmd->status;

	if (!status) {
		ctrl->aen.result = cmd->result;
		queue_work(system_freezable_wq, &ctrl->aen.work);
		return;
	}
	if (status != NVME_CMB_CANCELLED && status != NVME_CMB_LOST)
		pci_warn(ctrl->pdev, "reports no events any more: status 0x%x\n", status);
	clear_bit_unlock(0, &ctrl->aen.pending);
}

/* The caller has @ctrl->mutex. If it cannot be submitted now, the next start will do it. */
static void nvme_cmb_aen_submit(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_command sqe = {};

	sqe.common.opcode = nvme_admin_async_event;
	ctrl->aen.cmd.done = nvme_cmb_aen_done;
	if (nvme_cmb_queue_submit(&ctrl->queues[0], &sqe, &ctrl->aen.cmd))
		clear_bit_unlock(0, &ctrl->aen.pending);
}

/**
 * nvme_cmb_aen_start - ask the controller for events
 * @ctrl: the controller, started; the caller has its mutex
 *
 * What has happened before is not reported. So those who poll look what is.
 *
 * Context: may sleep.
 * Return: 0, also if the controller refuses; an errno if it is disabled now.
 */
int nvme_cmb_aen_start(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_command sqe = {};
	int ret;

	if (ctrl->queues[0].ring.size < NVME_CMB_AEN_MIN_ENTRIES)
		return 0;
	sqe.features.opcode = nvme_admin_set_features;
	sqe.features.fid = cpu_to_le32(NVME_FEAT_ASYNC_EVENT);
	sqe.features.dword11 = cpu_to_le32(NVME_CMB_AEN_CFG_SMART |
					   (ctrl->aen.offered & NVME_AEN_CFG_NS_ATTR));
	ret = nvme_cmb_cmd_sync(ctrl, 0, &sqe, NULL);
	if (ret < 0)
		return ret;
	if (ret)
		pci_warn(ctrl->pdev, "Asynchronous Event Configuration: status 0x%x\n", ret);
	/* Otherwise the work has an event of before the start, and submits it later. */
	if (!test_and_set_bit_lock(0, &ctrl->aen.pending))
		nvme_cmb_aen_submit(ctrl);
	nvme_cmb_control_notify(&ctrl->control, NVME_CMB_EVENT_WARNING);
	return 0;
}

/* A controller that was disabled, because it did not complete a command, has to come back. */
static int nvme_cmb_aen_get_log(struct nvme_cmb_ctrl *ctrl, u8 lid, bool retain, void *log,
				size_t len)
{
	int ret;

	ret = nvme_cmb_cmd_get_log(ctrl, lid, retain, log, len);
	if (ret == -ETIMEDOUT)
		queue_delayed_work(system_freezable_wq, &ctrl->reset, 0);
	return ret;
}

/* Read the log page that an event is from, so that others of its kind are reported again. */
static void nvme_cmb_aen_clear(struct nvme_cmb_ctrl *ctrl, u8 lid)
{
	size_t len = lid == NVME_LOG_CHANGED_NS ? NVME_CMB_LOG_NS_LEN : NVME_CMB_LOG_LEN;
	void *log = kmalloc(len, GFP_KERNEL);
	int ret = -ENOMEM;

	if (log)
		ret = nvme_cmb_aen_get_log(ctrl, lid, false, log, len);
	if (ret && ret != -ESHUTDOWN)
		pci_warn(ctrl->pdev, "log page 0x%02x was not read (%d): its events may be missed\n",
			 lid, ret);
	kfree(log);
}

static void nvme_cmb_aen_uevent(struct nvme_cmb_ctrl *ctrl, u32 result)
{
	char event[24];
	char *envp[2] = { event };

	/* as nvme-core prints it */
	snprintf(event, sizeof(event), "NVME_AEN=%#08x", result);
	if (nvme_cmb_control_enter(&ctrl->control))
		return;
	kobject_uevent_env(&ctrl->control.dev.kobj, KOBJ_CHANGE, envp);
	nvme_cmb_control_exit(&ctrl->control);
}

static void nvme_cmb_aen_tell(struct nvme_cmb_ctrl *ctrl, u32 result)
{
	/* User space can set a threshold, and so make events. */
	dev_notice_ratelimited(&ctrl->pdev->dev, "event 0x%06x: %s\n", result,
			       nvme_cmb_aen_name(result));
	if (ctrl->cap & NVME_CMB_CAP_PMRS)
		nvme_cmb_aen_read_pmrsts(ctrl);
	if (FIELD_GET(NVME_CMB_AEN_TYPE, result) == NVME_AER_SMART)
		nvme_cmb_control_notify(&ctrl->control, NVME_CMB_EVENT_WARNING);
	nvme_cmb_aen_uevent(ctrl, result);
}

static void nvme_cmb_aen_work(struct work_struct *work)
{
	struct nvme_cmb_ctrl *ctrl = container_of(work, struct nvme_cmb_ctrl, aen.work);
	u32 result = ctrl->aen.result;
	u8 lid = FIELD_GET(NVME_CMB_AEN_LID, result);

	mutex_lock(&ctrl->mutex);
	if (lid)
		nvme_cmb_aen_clear(ctrl, lid);
	nvme_cmb_aen_submit(ctrl);
	mutex_unlock(&ctrl->mutex);
	nvme_cmb_aen_tell(ctrl, result);
	if (nvme_cmb_aen_is_persistent_error(result)) {
		nvme_cmb_ctrl_disable(ctrl);
		queue_delayed_work(system_freezable_wq, &ctrl->reset, 0);
	}
}

/**
 * nvme_cmb_aen_init - be ready for events
 * @ctrl: the controller, whose queues are empty
 *
 * Context: any.
 */
void nvme_cmb_aen_init(struct nvme_cmb_ctrl *ctrl)
{
	INIT_WORK(&ctrl->aen.work, nvme_cmb_aen_work);
}

/**
 * nvme_cmb_aen_cancel - wait until nothing is done any more about an event
 * @ctrl: the controller, disabled or cancelled
 *
 * Context: may sleep.
 */
void nvme_cmb_aen_cancel(struct nvme_cmb_ctrl *ctrl)
{
	/* An interrupt may have taken the last event, and not queued the work yet. */
	synchronize_irq(pci_irq_vector(ctrl->pdev, 0));
	if (cancel_work_sync(&ctrl->aen.work))
		clear_bit_unlock(0, &ctrl->aen.pending);
}

/**
 * nvme_cmb_aen_read_warning - read the critical warnings of the SMART log
 * @ctrl: the controller
 * @warning: set to them
 *
 * Context: may sleep.
 * Return: 0, the status of the command, or an errno.
 */
int nvme_cmb_aen_read_warning(struct nvme_cmb_ctrl *ctrl, u8 *warning)
{
	struct nvme_smart_log *log;
	int ret;

	log = kmalloc(sizeof(*log), GFP_KERNEL);
	if (!log)
		return -ENOMEM;
	ret = mutex_lock_interruptible(&ctrl->mutex);
	if (!ret) {
		ret = nvme_cmb_aen_get_log(ctrl, NVME_LOG_SMART, true, log, sizeof(*log));
		mutex_unlock(&ctrl->mutex);
	}
	if (!ret)
		*warning = log->critical_warning;
	kfree(log);
	return ret;
}

/**
 * nvme_cmb_aen_read_pmrsts - read PMRSTS, and tell if the health of the PMR has changed
 * @ctrl: the controller
 *
 * Reading it is a flush. A controller that does not answer says nothing about its PMR.
 *
 * Context: any.
 * Return: the register.
 */
u32 nvme_cmb_aen_read_pmrsts(struct nvme_cmb_ctrl *ctrl)
{
	u32 pmrsts = readl(ctrl->regs + NVME_REG_PMRSTS);
	unsigned int hsts = FIELD_GET(NVME_CMB_PMRSTS_HSTS, pmrsts);

	if (hsts != READ_ONCE(ctrl->pmr_health) && nvme_cmb_ctrl_alive(ctrl)) {
		WRITE_ONCE(ctrl->pmr_health, hsts);
		nvme_cmb_control_notify(&ctrl->control, NVME_CMB_EVENT_PMR);
	}
	return pmrsts;
}
