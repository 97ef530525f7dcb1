// SPDX-License-Identifier: GPL-2.0-only
/*
 * An admin command of user space, on its way to the controller and back.
 *
 * The controller moves its bytes to and from memory of the driver's. It does not hold @ctrl->mutex
 * while the controller has it, so that nothing waits for it: a reset cancels it, and a removal
 * aborts it. A command that takes too long is aborted. If that does not help either, the
 * controller is reset.
 */
#include <linux/nvme.h>
#include <linux/nvme_ioctl.h>

#include "admin.h"
#include "bounce.h"

/* How long a command may take if user space does not say so, as in nvme-core */
#define NVME_CMB_PASS_SECONDS	60

/* How long the controller has to complete a command that was aborted */
#define NVME_CMB_ABORT_SECONDS	5

/**
 * struct nvme_cmb_pass - a command of user space
 * @cmd: the command
 * @ctrl: the controller
 * @done: the controller has completed it, or never will
 */
struct nvme_cmb_pass {
	struct nvme_cmb_cmd cmd;
	struct nvme_cmb_ctrl *ctrl;
	bool done;
};

static bool nvme_cmb_pass_is_done(const struct nvme_cmb_pass *pass)
{
	/* Whoever sees that sees the status, too. */
	return smp_load_acquire(&pass->done);
}

static void nvme_cmb_pass_done(struct nvme_cmb_cmd *cmd)
{
	struct nvme_cmb_pass *pass = container_of(cmd, struct nvme_cmb_pass, cmd);
	struct nvme_cmb_ctrl *ctrl = pass->ctrl;

	/* Pairs with nvme_cmb_pass_is_done(). @pass may be gone after that. */
	smp_store_release(&pass->done, true);
	wake_up_all(&ctrl->control.wait);
}

/* Return: true if it is done; false if it took too long, or the caller has to go. */
static bool nvme_cmb_pass_wait(struct nvme_cmb_pass *pass, u32 timeout_ms)
{
	struct nvme_cmb_control *control = &pass->ctrl->control;
	unsigned long end = jiffies + (timeout_ms ? msecs_to_jiffies(timeout_ms) :
						    NVME_CMB_PASS_SECONDS * HZ);
	bool stopping;
	long ret;

	do {
		ret = wait_event_killable_timeout(control->wait, nvme_cmb_pass_is_done(pass) ||
						  READ_ONCE(control->stopping), HZ / 10);
		/* It may be complete, and its interrupt was lost. */
		nvme_cmb_queue_poll(&pass->ctrl->queues[0]);
		stopping = READ_ONCE(control->stopping);
	} while (!nvme_cmb_pass_is_done(pass) && ret >= 0 && !stopping &&
		 time_before(jiffies, end));
	return nvme_cmb_pass_is_done(pass);
}

/* The controller has not completed a command that was aborted: nothing but a reset helps. */
static void nvme_cmb_pass_reset(struct nvme_cmb_pass *pass)
{
	struct nvme_cmb_ctrl *ctrl = pass->ctrl;

	mutex_lock(&ctrl->mutex);
	if (nvme_cmb_queue_has(&ctrl->queues[0], &pass->cmd)) {
		pci_err(ctrl->pdev, "a command of %s was not aborted within %u s\n",
			current->comm, NVME_CMB_ABORT_SECONDS);
		nvme_cmb_ctrl_disable_locked(ctrl);
		queue_delayed_work(system_freezable_wq, &ctrl->reset, 0);
	}
	mutex_unlock(&ctrl->mutex);
	wait_event(ctrl->control.wait, nvme_cmb_pass_is_done(pass));
}

static void nvme_cmb_pass_abort(struct nvme_cmb_pass *pass)
{
	struct nvme_cmb_queue *admin = &pass->ctrl->queues[0];
	unsigned int i;

	for (i = 0; i < NVME_CMB_ABORT_SECONDS && !nvme_cmb_pass_is_done(pass); i++) {
		nvme_cmb_cmd_abort(pass->ctrl, admin, &pass->cmd);
		wait_event_timeout(pass->ctrl->control.wait, nvme_cmb_pass_is_done(pass), HZ);
		nvme_cmb_queue_poll(admin);
	}
	if (!nvme_cmb_pass_is_done(pass))
		nvme_cmb_pass_reset(pass);
}

/* Return: the status of the command, or an errno as nvme_cmb_ioctl(). */
static int nvme_cmb_pass_run(struct nvme_cmb_pass *pass, struct nvme_command *sqe,
			     u32 timeout_ms)
{
	struct nvme_cmb_ctrl *ctrl = pass->ctrl;
	bool in_time;
	int ret;

	pass->cmd.done = nvme_cmb_pass_done;
	ret = nvme_cmb_queue_submit(&ctrl->queues[0], sqe, &pass->cmd);
	if (ret == -ESHUTDOWN)
		return nvme_cmb_ctrl_is(ctrl, NVME_CMB_CTRL_DEAD) ? -ENODEV : -EAGAIN;
	if (ret)
		return ret;
	in_time = nvme_cmb_pass_wait(pass, timeout_ms);
	if (!in_time)
		nvme_cmb_pass_abort(pass);
	if (pass->cmd.status != NVME_CMB_CANCELLED && pass->cmd.status != NVME_CMB_LOST)
		return pass->cmd.status;
	if (READ_ONCE(ctrl->control.stopping))
		return -ENODEV;
	return in_time ? -EINTR : -ETIMEDOUT;
}

static void nvme_cmb_fill_sqe(struct nvme_command *sqe, const struct nvme_passthru_cmd64 *cmd)
{
	*sqe = (struct nvme_command) {};
	sqe->common.opcode = cmd->opcode;
	sqe->common.nsid = cpu_to_le32(cmd->nsid);
	sqe->common.cdw2[0] = cpu_to_le32(cmd->cdw2);
	sqe->common.cdw2[1] = cpu_to_le32(cmd->cdw3);
	sqe->common.cdw10 = cpu_to_le32(cmd->cdw10);
	sqe->common.cdw11 = cpu_to_le32(cmd->cdw11);
	sqe->common.cdw12 = cpu_to_le32(cmd->cdw12);
	sqe->common.cdw13 = cpu_to_le32(cmd->cdw13);
	sqe->common.cdw14 = cpu_to_le32(cmd->cdw14);
	sqe->common.cdw15 = cpu_to_le32(cmd->cdw15);
}

/* A command that moves bytes. @len is how many the controller may move, or user space wants. */
static int nvme_cmb_pass_data(struct nvme_cmb_pass *pass, struct nvme_command *sqe,
			      const struct nvme_passthru_cmd64 *cmd, void *data, u64 len)
{
	struct nvme_cmb_bounce *bounce;
	int ret;

	bounce = nvme_cmb_bounce_alloc(pass->ctrl, sqe, len);
	if (IS_ERR(bounce))
		return PTR_ERR(bounce);
	if (data)
		memcpy(bounce->buf, data, cmd->data_len);
	ret = nvme_cmb_pass_run(pass, sqe, cmd->timeout_ms);
	if (!ret && data)
		memcpy(data, bounce->buf, cmd->data_len);
	nvme_cmb_bounce_free(pass->ctrl, bounce, pass->cmd.status);
	return ret;
}

/**
 * nvme_cmb_pass - let the controller carry out an admin command of user space
 * @ctrl: the controller; the caller has entered its device by nvme_cmb_control_enter()
 * @cmd: the command, which user space may send
 * @data: the bytes for it, or room for those that it reads, with @cmd->data_len bytes; or NULL
 * @len: how many bytes the controller may move for it
 * @result: set to dwords 0 and 1 of its completion
 *
 * Context: may sleep, for as long as the command may take, and some seconds more.
 * Return: as nvme_cmb_ioctl().
 */
int nvme_cmb_pass(struct nvme_cmb_ctrl *ctrl, const struct nvme_passthru_cmd64 *cmd,
		  void *data, u64 len, u64 *result)
{
	u64 max = min_t(u64, ctrl->max_transfer, NVME_CMB_PASS_MAX_LEN);
	struct nvme_cmb_pass pass = { .ctrl = ctrl };
	struct nvme_command sqe;
	int ret;

	/* The driver needs entries for its own commands. */
	if (!ctrl->queues || ctrl->queues[0].ring.size < 2 * NVME_CMB_MAX_PASS)
		return -EOPNOTSUPP;
	if (data)
		len = max_t(u64, len, cmd->data_len);
	if (len > max)
		return -EINVAL;
	nvme_cmb_fill_sqe(&sqe, cmd);
	ret = len ? nvme_cmb_pass_data(&pass, &sqe, cmd, data, len) :
		    nvme_cmb_pass_run(&pass, &sqe, cmd->timeout_ms);
	*result = pass.cmd.result;
	return ret;
}
