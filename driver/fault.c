// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on demand, where the kernel is built for them: the disk's directory in
 * debugfs then has fail/, delay/ and requeue/, with the attributes that
 * Documentation/fault-injection/fault-injection.rst describes, and
 *
 *	delay_ms	how long a delayed request takes longer
 */
#include <linux/blk-mq.h>
#include <linux/debugfs.h>
#include <linux/delay.h>

#include "nvme_cmb.h"

/**
 * nvme_cmb_fault_add - show the faults in debugfs
 * @fault: the disk's
 * @dir: the disk's directory; takes them along when it goes
 *
 * Context: may sleep.
 */
void nvme_cmb_fault_add(struct nvme_cmb_fault *fault, struct dentry *dir)
{
	static const struct fault_attr none = FAULT_ATTR_INITIALIZER;

	fault->fail = none;
	fault->delay = none;
	fault->requeue = none;
	fault_create_debugfs_attr("fail", dir, &fault->fail);
	fault_create_debugfs_attr("delay", dir, &fault->delay);
	fault_create_debugfs_attr("requeue", dir, &fault->requeue);
	debugfs_create_u32("delay_ms", 0600, dir, &fault->delay_ms);
}

/**
 * nvme_cmb_fault_hits - does a fault befall this request?
 * @fault: the disk's
 * @req: a request that was started
 *
 * Context: may sleep, and does for a delay.
 * Return: true if it does; the request has ended, or been requeued, then.
 */
bool nvme_cmb_fault_hits(struct nvme_cmb_fault *fault, struct request *req)
{
	if (should_fail(&fault->requeue, blk_rq_bytes(req))) {
		blk_mq_requeue_request(req, true);
		return true;
	}
	if (should_fail(&fault->fail, blk_rq_bytes(req))) {
		blk_mq_end_request(req, BLK_STS_IOERR);
		return true;
	}
	if (should_fail(&fault->delay, blk_rq_bytes(req)))
		msleep(READ_ONCE(fault->delay_ms));
	return false;
}
