// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens on a disk: the tracepoint
 * nvme_cmb:nvme_cmb_transfer, and /sys/kernel/debug/nvme_cmb/<disk>/ with
 *
 *	registers	the controller's registers, field by field, also where
 *			user space may not map a BAR that a driver has; reading
 *			PMRSTS flushes the PMR
 *	accounting	1: keep the two below; 0, as at first: clear them
 *	stats		by operation: requests, bytes, accesses to the window
 *	latency		by operation: how many requests took so many ns or more,
 *			but less than twice as many
 *
 * Off, all of it costs a request one branch that is patched out.
 *
 * Where the kernel is built for fault injection there are also fail/, delay/ and requeue/,
 * with the attributes that Documentation/fault-injection/fault-injection.rst describes,
 * and
 *
 *	delay_ms	how long a delayed request takes longer
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/nvme.h>
#include <linux/seq_file.h>

#include "disk.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static struct dentry *nvme_cmb_debugfs_root;

/*
 * Counts the disks that keep accounts, and one more for the tracepoint. A static key would save
 * a load, but patches code. QEMU's TCG may execute the breakpoint of a patch that is complete.
 */
atomic_t nvme_cmb_accounting;

int nvme_cmb_trace_reg(void)
{
	atomic_inc(&nvme_cmb_accounting);
	return 0;
}

void nvme_cmb_trace_unreg(void)
{
	atomic_dec(&nvme_cmb_accounting);
}

static int nvme_cmb_registers_show(struct seq_file *m, void *unused)
{
	const struct nvme_cmb_ctrl *ctrl = m->private;
	const struct nvme_cmb_field *field;
	const struct nvme_cmb_reg *reg;

	for (reg = nvme_cmb_registers;
	     reg < nvme_cmb_registers + nvme_cmb_nr_registers; reg++) {
		void __iomem *addr = ctrl->regs + reg->offset;
		u64 val = reg->bits == 64 ? lo_hi_readq(addr) : readl(addr);

		if (reg->offset >= NVME_REG_PMRCAP &&
		    !(ctrl->cap & NVME_CMB_CAP_PMRS))
			break;
		seq_printf(m, "%-6s 0x%0*llx\n", reg->name, reg->bits / 4, val);
		for (field = reg->fields; field->name; field++)
			seq_printf(m, "  %-7s 0x%llx\n", field->name,
				   (val & GENMASK_ULL(field->high, field->low)) >>
				   field->low);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(nvme_cmb_registers);

static const char *const nvme_cmb_op_names[NVME_CMB_OPS] = {
	[NVME_CMB_READ]		= "read",
	[NVME_CMB_WRITE]	= "write",
	[NVME_CMB_ZERO]		= "zero",
	[NVME_CMB_FLUSH]	= "flush",
};

static int nvme_cmb_stats_show(struct seq_file *m, void *unused)
{
	const struct nvme_cmb_account *account = m->private;
	int op;

	seq_puts(m, "operation requests bytes accesses\n");
	for (op = 0; op < NVME_CMB_OPS; op++)
		seq_printf(m, "%s %llu %llu %llu\n", nvme_cmb_op_names[op],
			   account->stats[op].requests, account->stats[op].bytes,
			   account->stats[op].accesses);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(nvme_cmb_stats);

static int nvme_cmb_latency_show(struct seq_file *m, void *unused)
{
	const struct nvme_cmb_account *account = m->private;
	int op, i;

	seq_puts(m, "operation from_ns requests\n");
	for (op = 0; op < NVME_CMB_OPS; op++)
		for (i = 0; i < NVME_CMB_LATENCIES; i++)
			if (account->stats[op].latency[i])
				seq_printf(m, "%s %llu %llu\n",
					   nvme_cmb_op_names[op], BIT_ULL(i),
					   account->stats[op].latency[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(nvme_cmb_latency);

static int nvme_cmb_accounting_get(void *data, u64 *val)
{
	const struct nvme_cmb_account *account = data;

	*val = account->on;
	return 0;
}

static void nvme_cmb_accounting_switch(struct nvme_cmb_account *account,
				       bool on)
{
	mutex_lock(&account->mutex);
	if (on && !account->on)
		atomic_inc(&nvme_cmb_accounting);
	else if (!on && account->on)
		atomic_dec(&nvme_cmb_accounting);

	/* A request that ends after this is not counted, also if it began before. */
	spin_lock_irq(&account->lock);
	account->on = on;
	if (!on)
		memset(account->stats, 0, sizeof(account->stats));
	spin_unlock_irq(&account->lock);
	mutex_unlock(&account->mutex);
}

static int nvme_cmb_accounting_set(void *data, u64 val)
{
	if (val > 1)
		return -EINVAL;
	nvme_cmb_accounting_switch(data, val);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(nvme_cmb_accounting_fops, nvme_cmb_accounting_get,
			 nvme_cmb_accounting_set, "%llu\n");

/**
 * nvme_cmb_account_end - account for one request
 * @disk: the disk
 * @req_op: what was asked for
 * @sector: where
 * @len: how much
 * @start_ns: what nvme_cmb_account_begin() returned, which was not 0
 * @accesses: how many accesses to the window it took
 * @staged: the controller has moved its bytes
 *
 * Context: any.
 */
void nvme_cmb_account_end(struct nvme_cmb_disk *disk, enum req_op req_op,
			  sector_t sector, size_t len, u64 start_ns,
			  u64 accesses, bool staged)
{
	struct nvme_cmb_account *account = &disk->account;
	const struct nvme_cmb_window *win = disk->win;
	u64 ns = ktime_get_ns() - start_ns;
	const char *path;
	enum nvme_cmb_op op;
	unsigned long flags;

	switch (req_op) {
	case REQ_OP_READ:
		op = NVME_CMB_READ;
		break;
	case REQ_OP_WRITE:
		op = NVME_CMB_WRITE;
		break;
	case REQ_OP_FLUSH:
		op = NVME_CMB_FLUSH;
		break;
	default:
		op = NVME_CMB_ZERO;
		break;
	}

	if (staged)
		path = "staged";
	else
		path = op == NVME_CMB_READ ? win->read->name : win->write->name;
	trace_nvme_cmb_transfer(disk->gd, op, (u64)sector << SECTOR_SHIFT, len,
				accesses, ns, path);
	spin_lock_irqsave(&account->lock, flags);
	if (account->on) {
		account->stats[op].requests++;
		account->stats[op].bytes += len;
		account->stats[op].accesses += accesses;
		account->stats[op].latency[min(ilog2(ns | 1),
					       NVME_CMB_LATENCIES - 1)]++;
	}
	spin_unlock_irqrestore(&account->lock, flags);
}

/**
 * nvme_cmb_account_add - show a disk in debugfs
 * @disk: the disk; it has its name
 *
 * Nothing depends on debugfs, so that its errors are ignored.
 *
 * Context: may sleep.
 */
void nvme_cmb_account_add(struct nvme_cmb_disk *disk)
{
	struct nvme_cmb_account *account = &disk->account;

	mutex_init(&account->mutex);
	spin_lock_init(&account->lock);
	account->dir = debugfs_create_dir(disk->gd->disk_name,
					  nvme_cmb_debugfs_root);
	debugfs_create_file("registers", 0400, account->dir,
			    disk->ctrl, &nvme_cmb_registers_fops);
	debugfs_create_file("accounting", 0600, account->dir, account,
			    &nvme_cmb_accounting_fops);
	debugfs_create_file("stats", 0400, account->dir, account,
			    &nvme_cmb_stats_fops);
	debugfs_create_file("latency", 0400, account->dir, account,
			    &nvme_cmb_latency_fops);
}

/**
 * nvme_cmb_account_del - undo nvme_cmb_account_add()
 * @disk: the disk
 *
 * Context: may sleep; waits for those who are reading.
 */
void nvme_cmb_account_del(struct nvme_cmb_disk *disk)
{
	debugfs_remove(disk->account.dir);
	nvme_cmb_accounting_switch(&disk->account, false);
}

/**
 * nvme_cmb_account_init - make the directory that the disks appear in
 */
void nvme_cmb_account_init(void)
{
	nvme_cmb_debugfs_root = debugfs_create_dir(KBUILD_MODNAME, NULL);
}

/**
 * nvme_cmb_account_exit - undo nvme_cmb_account_init()
 */
void nvme_cmb_account_exit(void)
{
	debugfs_remove(nvme_cmb_debugfs_root);
}

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
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
 * nvme_cmb_should_fail - is this transfer to fail?
 * @fault: the disk's
 * @len: how many bytes are to be moved
 *
 * Context: may sleep, and does for a delay.
 * Return: true if it is.
 */
bool nvme_cmb_should_fail(struct nvme_cmb_fault *fault, size_t len)
{
	if (should_fail(&fault->delay, len))
		msleep(READ_ONCE(fault->delay_ms));
	return should_fail(&fault->fail, len);
}

/**
 * nvme_cmb_should_requeue - is this request to go back to the block layer?
 * @fault: the disk's
 * @req: a request that was started
 *
 * Context: any.
 * Return: true if it has gone, and will be sent again.
 */
bool nvme_cmb_should_requeue(struct nvme_cmb_fault *fault, struct request *req)
{
	if (!should_fail(&fault->requeue, blk_rq_bytes(req)))
		return false;
	blk_mq_requeue_request(req, true);
	return true;
}
#endif
