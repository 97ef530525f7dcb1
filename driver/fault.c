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
 * @requests: whether the disk is served by requests, which can be requeued
 *
 * Context: may sleep.
 */
void nvme_cmb_fault_add(struct nvme_cmb_fault *fault, struct dentry *dir,
			bool requests)
{
	static const struct fault_attr none = FAULT_ATTR_INITIALIZER;

	fault->fail = none;
	fault->delay = none;
	fault->requeue = none;
	fault_create_debugfs_attr("fail", dir, &fault->fail);
	fault_create_debugfs_attr("delay", dir, &fault->delay);
	debugfs_create_u32("delay_ms", 0600, dir, &fault->delay_ms);
	if (requests)
		fault_create_debugfs_attr("requeue", dir, &fault->requeue);
}

/**
 * nvme_cmb_fault_strikes - is this transfer to fail?
 * @fault: the disk's
 * @len: how many bytes are to be moved
 *
 * Context: may sleep, and does for a delay.
 * Return: true if it is.
 */
bool nvme_cmb_fault_strikes(struct nvme_cmb_fault *fault, size_t len)
{
	if (should_fail(&fault->delay, len))
		msleep(READ_ONCE(fault->delay_ms));
	return should_fail(&fault->fail, len);
}

/**
 * nvme_cmb_fault_requeues - is this request to go back to the block layer?
 * @fault: the disk's
 * @req: a request that was started
 *
 * Context: any.
 * Return: true if it has gone, and will be sent again.
 */
bool nvme_cmb_fault_requeues(struct nvme_cmb_fault *fault, struct request *req)
{
	if (!should_fail(&fault->requeue, blk_rq_bytes(req)))
		return false;
	blk_mq_requeue_request(req, true);
	return true;
}
