/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A CMB's requests: taken from blk-mq by mq.c, copied by serve.c.
 */
#ifndef NVME_CMB_MQ_H
#define NVME_CMB_MQ_H

#include "disk.h"

/**
 * struct nvme_cmb_mq_request - what blk-mq keeps behind each request for this driver
 * @transfer: what the CPU has copied
 * @start_ns: when the request came, 0 if it is not accounted for
 * @staged: the controller moves its bytes
 * @status: how that ended
 */
struct nvme_cmb_mq_request {
	struct nvme_cmb_transfer transfer;
	u64 start_ns;
	bool staged;
	blk_status_t status;
};

void nvme_cmb_end_request(struct nvme_cmb_disk *disk, struct request *req,
			  blk_status_t status);

int nvme_cmb_serve_init(struct nvme_cmb_disk *disk);
void nvme_cmb_serve(struct nvme_cmb_disk *disk, struct request *req,
		    bool may_wait);
void nvme_cmb_serve_later(struct nvme_cmb_disk *disk, struct request *req);
void nvme_cmb_serve_stop(struct nvme_cmb_disk *disk);
void nvme_cmb_serve_free(struct nvme_cmb_disk *disk);

#endif
