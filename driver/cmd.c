// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that the driver itself waits for, and Abort.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/nvme.h>
#include <linux/slab.h>

#include "admin.h"

#define NVME_CMB_CMD_SECONDS	10

struct nvme_cmb_wait {
	struct nvme_cmb_cmd cmd;
	struct completion done;
};

static void nvme_cmb_wait_done(struct nvme_cmb_cmd *cmd)
{
	complete(&container_of(cmd, struct nvme_cmb_wait, cmd)->done);
}

/**
 * nvme_cmb_cmd_sync - submit a command, and wait for its completion
 * @ctrl: the controller, started; the caller has its mutex
 * @qid: the queue, 0 for an admin command
 * @sqe: the command
 * @result: set to dword 0 of its completion; NULL if nobody wants to know
 *
 * A command that is not completed in time takes the controller down: it is disabled, and takes
 * no commands until it is started again.
 *
 * Context: may sleep, for NVME_CMB_CMD_SECONDS and the time that a controller takes to be
 * disabled.
 * Return: 0, the status of its completion, or an errno: -ETIMEDOUT, or -ESHUTDOWN if the
 * controller is not started.
 */
int nvme_cmb_cmd_sync(struct nvme_cmb_ctrl *ctrl, unsigned int qid,
		      struct nvme_command *sqe, u32 *result)
{
	struct nvme_cmb_wait wait = { .cmd.done = nvme_cmb_wait_done };
	unsigned int polls;
	int ret;

	init_completion(&wait.done);
	ret = nvme_cmb_queue_submit(&ctrl->queues[qid], sqe, &wait.cmd);
	if (ret)
		return ret;
	for (polls = 0; polls < NVME_CMB_CMD_SECONDS * 100; polls++) {
		ret = wait_for_completion_timeout(&wait.done, msecs_to_jiffies(10));
		if (ret)
			break;
		/* Its interrupt may be lost, or have no CPU that is online. */
		nvme_cmb_queue_poll(&ctrl->queues[qid]);
		if (!nvme_cmb_ctrl_alive(ctrl))
			break;
	}
	if (!ret && !completion_done(&wait.done)) {
		pci_err(ctrl->pdev, "queue %u, command 0x%02x: not completed within %u ms\n",
			qid, sqe->common.opcode, 10 * polls);
		nvme_cmb_ctrl_disable_locked(ctrl);
		wait_for_completion(&wait.done);
		return -ETIMEDOUT;
	}
	if (wait.cmd.status == NVME_CMB_CANCELLED || wait.cmd.status == NVME_CMB_LOST)
		return -ESHUTDOWN;
	if (result)
		*result = wait.cmd.result;
	return wait.cmd.status;
}

/**
 * nvme_cmb_cmd_identify - the Identify command (1.4, 5.15)
 * @ctrl: the controller, started
 * @cns: what is to be identified
 * @nsid: namespace, 0 if @cns is not about one
 * @data: filled in, with NVME_IDENTIFY_DATA_SIZE bytes
 *
 * Context: as nvme_cmb_cmd_sync().
 * Return: as nvme_cmb_cmd_sync(), or -ENOMEM.
 */
int nvme_cmb_cmd_identify(struct nvme_cmb_ctrl *ctrl, u8 cns, u32 nsid, void *data)
{
	struct device *dev = &ctrl->pdev->dev;
	struct nvme_command sqe = {};
	dma_addr_t dma;
	void *buf;
	int ret;

	buf = dma_alloc_coherent(dev, NVME_IDENTIFY_DATA_SIZE, &dma, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	sqe.identify.opcode = nvme_admin_identify;
	sqe.identify.nsid = cpu_to_le32(nsid);
	sqe.identify.dptr.prp1 = cpu_to_le64(dma);
	sqe.identify.cns = cns;
	ret = nvme_cmb_cmd_sync(ctrl, 0, &sqe, NULL);
	if (!ret)
		memcpy(data, buf, NVME_IDENTIFY_DATA_SIZE);
	dma_free_coherent(dev, NVME_IDENTIFY_DATA_SIZE, buf, dma);
	return ret;
}

/**
 * nvme_cmb_cmd_namespace - does the controller have a namespace that is no scratch?
 * @ctrl: the controller, started
 * @nsid: set to the first active one that is not @ctrl->scratch_nsid, 0 if there is none
 *
 * Context: may sleep.
 * Return: 0, a status of the controller's, or an errno.
 */
int nvme_cmb_cmd_namespace(struct nvme_cmb_ctrl *ctrl, u32 *nsid)
{
	__le32 *list;
	int ret;

	*nsid = 0;
	list = kmalloc(NVME_IDENTIFY_DATA_SIZE, GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	mutex_lock(&ctrl->mutex);
	ret = nvme_cmb_cmd_identify(ctrl, NVME_ID_CNS_NS_ACTIVE_LIST, 0, list);
	mutex_unlock(&ctrl->mutex);
	if (!ret) {
		*nsid = le32_to_cpu(list[0]);
		if (*nsid && *nsid == ctrl->scratch_nsid)
			*nsid = le32_to_cpu(list[1]);
	}
	kfree(list);
	return ret;
}

static void nvme_cmb_cmd_aborted(struct nvme_cmb_cmd *cmd)
{
	struct nvme_cmb_ctrl *ctrl = container_of(cmd, struct nvme_cmb_ctrl, abort);

	clear_bit_unlock(0, &ctrl->aborting);
}

/**
 * nvme_cmb_cmd_abort - ask the controller to abort a command (1.4, 5.1)
 * @ctrl: the controller
 * @queue: the queue that has the command
 * @cmd: the command
 *
 * There is one Abort command at a time: the controller need not take more. One that is not
 * completed is there until the controller is disabled. What comes of it
 * shows in the completion of @cmd, or in that there is none.
 *
 * Context: any.
 */
void nvme_cmb_cmd_abort(struct nvme_cmb_ctrl *ctrl,
			const struct nvme_cmb_queue *queue,
			const struct nvme_cmb_cmd *cmd)
{
	struct nvme_command sqe = {};

	if (test_and_set_bit_lock(0, &ctrl->aborting))
		return;
	sqe.abort.opcode = nvme_admin_abort_cmd;
	sqe.abort.sqid = cpu_to_le16(queue->id);
	sqe.abort.cid = READ_ONCE(cmd->id);
	ctrl->abort.done = nvme_cmb_cmd_aborted;
	if (nvme_cmb_queue_submit(&ctrl->queues[0], &sqe, &ctrl->abort))
		nvme_cmb_cmd_aborted(&ctrl->abort);
}
