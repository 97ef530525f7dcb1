// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that the driver itself waits for, and Abort.
 */
#include <linux/completion.h>
#include <linux/nvme.h>
#include <linux/slab.h>

#include "admin.h"
#include "bounce.h"

#define NVME_CMB_CMD_SECONDS	10

/* Retain Asynchronous Event: bit 15 of dword 10, as a bit of its byte */
#define NVME_CMB_LOG_RAE	BIT(7)

struct nvme_cmb_wait {
	struct nvme_cmb_cmd cmd;
	struct completion done;
};

static void nvme_cmb_wait_done(struct nvme_cmb_cmd *cmd)
{
	complete(&container_of(cmd, struct nvme_cmb_wait, cmd)->done);
}

static int nvme_cmb_cmd_run(struct nvme_cmb_ctrl *ctrl, unsigned int qid,
			    struct nvme_command *sqe, struct nvme_cmb_wait *wait)
{
	unsigned int polls;
	int ret;

	*wait = (struct nvme_cmb_wait) { .cmd.done = nvme_cmb_wait_done };
	init_completion(&wait->done);
	ret = nvme_cmb_queue_submit(&ctrl->queues[qid], sqe, &wait->cmd);
	if (ret)
		return ret;
	for (polls = 0; polls < NVME_CMB_CMD_SECONDS * 100; polls++) {
		ret = wait_for_completion_timeout(&wait->done, msecs_to_jiffies(10));
		if (ret)
			break;
		/* Its interrupt may be lost, or have no CPU that is online. */
		nvme_cmb_queue_poll(&ctrl->queues[qid]);
		if (!nvme_cmb_ctrl_alive(ctrl))
			break;
	}
	if (!ret && !completion_done(&wait->done)) {
		pci_err(ctrl->pdev, "queue %u, command 0x%02x: not completed within %u ms\n",
			qid, sqe->common.opcode, 10 * polls);
		nvme_cmb_ctrl_disable_locked(ctrl);
		wait_for_completion(&wait->done);
		return -ETIMEDOUT;
	}
	if (wait->cmd.status == NVME_CMB_CANCELLED || wait->cmd.status == NVME_CMB_LOST)
		return -ESHUTDOWN;
	return wait->cmd.status;
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
	struct nvme_cmb_wait wait;
	int ret;

	ret = nvme_cmb_cmd_run(ctrl, qid, sqe, &wait);
	if (ret >= 0 && result)
		*result = wait.cmd.result;
	return ret;
}

/* An admin command that reads @len bytes. They are only valid if it returns 0. */
static int nvme_cmb_cmd_read(struct nvme_cmb_ctrl *ctrl, struct nvme_command *sqe,
			     void *data, size_t len)
{
	struct nvme_cmb_bounce *bounce;
	struct nvme_cmb_wait wait;
	int ret;

	bounce = nvme_cmb_bounce_alloc(ctrl, sqe, len);
	if (IS_ERR(bounce))
		return PTR_ERR(bounce);
	ret = nvme_cmb_cmd_run(ctrl, 0, sqe, &wait);
	if (!ret)
		memcpy(data, bounce->buf, len);
	nvme_cmb_bounce_free(ctrl, bounce, wait.cmd.status);
	return ret;
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
	struct nvme_command sqe = {};

	sqe.identify.opcode = nvme_admin_identify;
	sqe.identify.nsid = cpu_to_le32(nsid);
	sqe.identify.cns = cns;
	return nvme_cmb_cmd_read(ctrl, &sqe, data, NVME_IDENTIFY_DATA_SIZE);
}

/* Strings in Identify are filled up with spaces. Someone may read @to, which has not changed. */
static void nvme_cmb_cmd_copy_string(char *to, const char *from, size_t len)
{
	while (len && from[len - 1] == ' ')
		len--;
	memcpy(to, from, len);
	to[len] = '\0';
}

static void nvme_cmb_cmd_note_ctrl(struct nvme_cmb_ctrl *ctrl, const struct nvme_id_ctrl *id)
{
	struct nvme_cmb_identity *identity = &ctrl->identity;

	nvme_cmb_cmd_copy_string(identity->serial, id->sn, sizeof(id->sn));
	nvme_cmb_cmd_copy_string(identity->model, id->mn, sizeof(id->mn));
	nvme_cmb_cmd_copy_string(identity->firmware_rev, id->fr, sizeof(id->fr));
	ctrl->aen.offered = le32_to_cpu(id->oaes);
	ctrl->has_shadows = le16_to_cpu(id->oacs) & NVME_CTRL_OACS_DBBUF_SUPP;
	ctrl->max_transfer = id->mdts && id->mdts + ctrl->page_shift < 31 ?
			     1U << (id->mdts + ctrl->page_shift) : UINT_MAX;
}

/**
 * nvme_cmb_cmd_identify_ctrl - find out who the controller is, and what it can
 * @ctrl: the controller, enabled; filled in
 *
 * Context: as nvme_cmb_cmd_sync().
 * Return: as nvme_cmb_cmd_identify().
 */
int nvme_cmb_cmd_identify_ctrl(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_id_ctrl *id;
	int ret;

	id = kmalloc(NVME_IDENTIFY_DATA_SIZE, GFP_KERNEL);
	if (!id)
		return -ENOMEM;
	ret = nvme_cmb_cmd_identify(ctrl, NVME_ID_CNS_CTRL, 0, id);
	if (!ret)
		nvme_cmb_cmd_note_ctrl(ctrl, id);
	kfree(id);
	return ret;
}

/**
 * nvme_cmb_cmd_get_log - the Get Log Page command (1.4, 5.14), for the whole controller
 * @ctrl: the controller, started
 * @lid: the log page
 * @retain: events that it tells of stay as they are. Otherwise they may be reported again
 * @data: filled in
 * @len: with that many bytes, a multiple of 4
 *
 * Context: as nvme_cmb_cmd_sync().
 * Return: as nvme_cmb_cmd_sync(), or -ENOMEM.
 */
int nvme_cmb_cmd_get_log(struct nvme_cmb_ctrl *ctrl, u8 lid, bool retain, void *data,
			 size_t len)
{
	struct nvme_command sqe = {};
	u32 numd = len / sizeof(__le32) - 1;

	sqe.get_log_page.opcode = nvme_admin_get_log_page;
	sqe.get_log_page.nsid = cpu_to_le32(NVME_NSID_ALL);
	sqe.get_log_page.lid = lid;
	sqe.get_log_page.lsp = retain ? NVME_CMB_LOG_RAE : 0;
	sqe.get_log_page.numdl = cpu_to_le16(numd);
	sqe.get_log_page.numdu = cpu_to_le16(numd >> 16);
	return nvme_cmb_cmd_read(ctrl, &sqe, data, len);
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
