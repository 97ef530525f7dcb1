/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The controller, enabled: interrupts, queues, admin commands.
 */
#ifndef NVME_CMB_ADMIN_H
#define NVME_CMB_ADMIN_H

#include <linux/sizes.h>

#include "ctrl.h"

struct nvme_command;
struct nvme_passthru_cmd64;

int nvme_cmb_admin_setup(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_admin_free(struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_admin_start(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_admin_watch(struct nvme_cmb_ctrl *ctrl);

int nvme_cmb_cmd_sync(struct nvme_cmb_ctrl *ctrl, unsigned int qid,
		      struct nvme_command *sqe, u32 *result);
int nvme_cmb_cmd_identify(struct nvme_cmb_ctrl *ctrl, u8 cns, u32 nsid,
			  void *data);
int nvme_cmb_cmd_identify_ctrl(struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_cmd_get_log(struct nvme_cmb_ctrl *ctrl, u8 lid, bool retain, void *data,
			 size_t len);
int nvme_cmb_cmd_namespace(struct nvme_cmb_ctrl *ctrl, u32 *nsid);
void nvme_cmb_cmd_abort(struct nvme_cmb_ctrl *ctrl,
			const struct nvme_cmb_queue *queue,
			const struct nvme_cmb_cmd *cmd);

void nvme_cmb_aen_init(struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_aen_start(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_aen_cancel(struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_aen_read_warning(struct nvme_cmb_ctrl *ctrl, u8 *warning);
u32 nvme_cmb_aen_read_pmrsts(struct nvme_cmb_ctrl *ctrl);

/* Longer commands of user space are refused, whatever the controller can do. */
#define NVME_CMB_PASS_MAX_LEN	SZ_1M

int nvme_cmb_pass(struct nvme_cmb_ctrl *ctrl, const struct nvme_passthru_cmd64 *cmd,
		  void *data, u64 len, u64 *result);

#endif
