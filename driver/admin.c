// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller, enabled: interrupts, queues.
 */
#include <linux/cpumask.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/nvme.h>
#include <linux/slab.h>

#include "admin.h"
#include "bounce.h"

#define NVME_CMB_ADMIN_ENTRIES	32
#define NVME_CMB_IO_ENTRIES	128
#define NVME_CMB_MAX_IO_QUEUES	0xffff	/* of which a controller may know */

static irqreturn_t nvme_cmb_irq(int irq, void *queue)
{
	return nvme_cmb_queue_poll(queue) ? IRQ_HANDLED : IRQ_NONE;
}

/* The admin queues have the first vector for themselves, if there is more than one. */
static unsigned int nvme_cmb_admin_vector(const struct nvme_cmb_ctrl *ctrl,
					  unsigned int id)
{
	return ctrl->nr_vectors == 1 ? 0 : min(id, ctrl->nr_vectors - 1);
}

/* Queues that someone polls come last, and have no interrupt. */
static bool nvme_cmb_admin_is_polled(const struct nvme_cmb_ctrl *ctrl, unsigned int id)
{
	return id > ctrl->nr_irq;
}

static void nvme_cmb_admin_free_queue(struct nvme_cmb_ctrl *ctrl, unsigned int id)
{
	if (!nvme_cmb_admin_is_polled(ctrl, id))
		pci_free_irq(ctrl->pdev, nvme_cmb_admin_vector(ctrl, id),
			     &ctrl->queues[id]);
	nvme_cmb_queue_free(&ctrl->queues[id]);
}

static int nvme_cmb_admin_alloc_queue(struct nvme_cmb_ctrl *ctrl, unsigned int id)
{
	struct nvme_cmb_queue *queue = &ctrl->queues[id];
	u16 size = id ? NVME_CMB_IO_ENTRIES : NVME_CMB_ADMIN_ENTRIES;
	int ret;

	size = min_t(unsigned int, size, NVME_CAP_MQES(ctrl->cap) + 1);
	ret = nvme_cmb_queue_alloc(queue, &ctrl->pdev->dev, id, size,
				   ctrl->regs + NVME_REG_DBS,
				   4 << NVME_CAP_STRIDE(ctrl->cap));
	if (ret || nvme_cmb_admin_is_polled(ctrl, id))
		return ret;
	ret = pci_request_irq(ctrl->pdev, nvme_cmb_admin_vector(ctrl, id),
			      nvme_cmb_irq, NULL, queue, "nvme_cmb%dq%u",
			      ctrl->index, id);
	if (ret)
		nvme_cmb_queue_free(queue);
	return ret;
}

static void nvme_cmb_admin_free_queues(struct nvme_cmb_ctrl *ctrl)
{
	while (ctrl->nr_queues)
		nvme_cmb_admin_free_queue(ctrl, --ctrl->nr_queues);
	kfree(ctrl->queues);
	ctrl->queues = NULL;
}

/* How many pairs of queues have doorbells in BAR 0 */
static unsigned int nvme_cmb_admin_max_queues(const struct nvme_cmb_ctrl *ctrl)
{
	u64 len = pci_resource_len(ctrl->pdev, 0) - NVME_REG_DBS;

	return len / (8 << NVME_CAP_STRIDE(ctrl->cap));
}

/* A controller that has failed (CSTS.CFS), or is gone, raises no interrupt. */
static void nvme_cmb_admin_watch_work(struct work_struct *work)
{
	struct nvme_cmb_ctrl *ctrl = container_of(work, struct nvme_cmb_ctrl,
						  watch.work);
	bool busy = false, alive;
	unsigned int i;

	for (i = 1; i < ctrl->nr_queues; i++)
		busy |= nvme_cmb_queue_watch(&ctrl->queues[i]);
	if (!busy)
		return;
	alive = nvme_cmb_ctrl_alive(ctrl);
	if (alive && !(readl(ctrl->regs + NVME_REG_CSTS) & NVME_CSTS_CFS)) {
		nvme_cmb_admin_watch(ctrl);
		return;
	}
	pci_err(ctrl->pdev, "the controller %s with commands under way\n",
		alive ? "has failed" : "does not answer,");
	/* Only a controller that was disabled is known to move no more bytes. */
	if (alive)
		nvme_cmb_ctrl_disable(ctrl);
	else
		nvme_cmb_ctrl_cancel(ctrl);
	queue_delayed_work(system_freezable_wq, &ctrl->reset, 0);
}

/**
 * nvme_cmb_admin_watch - a command is under way: look after the controller
 * @ctrl: the controller
 *
 * Context: any.
 */
void nvme_cmb_admin_watch(struct nvme_cmb_ctrl *ctrl)
{
	queue_delayed_work(system_freezable_wq, &ctrl->watch, HZ);
}

/*
 * Interrupts, and memory for queues. There is a pair of I/O queues for each CPU, as far as there
 * are vectors, and those that the user wants to poll, but no more than @max_io. Vectors come
 * before the controller is enabled: QEMU notes then which of them the admin queues may use.
 */
static int nvme_cmb_admin_alloc(struct nvme_cmb_ctrl *ctrl, unsigned int max_io)
{
	struct irq_affinity affinity = { .pre_vectors = 1 };
	unsigned int max = min(nvme_cmb_admin_max_queues(ctrl), 1 + max_io), nr;
	int ret;

	INIT_DELAYED_WORK(&ctrl->watch, nvme_cmb_admin_watch_work);
	nvme_cmb_aen_init(ctrl);
	ret = nvme_cmb_ctrl_get_index(ctrl);
	if (ret < 0)
		return ret;
	nr = min(max, 1 + num_possible_cpus());
	ret = pci_alloc_irq_vectors_affinity(ctrl->pdev, 1, nr,
					     PCI_IRQ_ALL_TYPES | PCI_IRQ_AFFINITY,
					     &affinity);
	if (ret < 0)
		return ret;
	ctrl->nr_vectors = ret;
	/* An I/O queue that shares the vector of another one helps nobody. */
	nr = min(nr, max(ctrl->nr_vectors, 2U));
	ctrl->nr_irq = nr - 1;
	nr += min(ctrl->nr_poll, max - nr);

	ctrl->queues = kcalloc(nr, sizeof(*ctrl->queues), GFP_KERNEL);
	if (!ctrl->queues) {
		ret = -ENOMEM;
		goto out_free_vectors;
	}
	for (ctrl->nr_queues = 0; ctrl->nr_queues < nr; ctrl->nr_queues++) {
		ret = nvme_cmb_admin_alloc_queue(ctrl, ctrl->nr_queues);
		if (ret)
			goto out_free_queues;
	}
	return 0;

out_free_queues:
	nvme_cmb_admin_free_queues(ctrl);
out_free_vectors:
	pci_free_irq_vectors(ctrl->pdev);
	return ret;
}

/**
 * nvme_cmb_admin_free - undo nvme_cmb_admin_setup()
 * @ctrl: the controller, disabled
 *
 * Context: may sleep.
 */
void nvme_cmb_admin_free(struct nvme_cmb_ctrl *ctrl)
{
	if (!ctrl->nr_queues)
		return;
	cancel_delayed_work_sync(&ctrl->watch);
	nvme_cmb_aen_cancel(ctrl);
	nvme_cmb_bounce_free_lost(ctrl);
	nvme_cmb_admin_free_queues(ctrl);
	if (ctrl->shadows)
		dma_free_coherent(&ctrl->pdev->dev, 2U << ctrl->page_shift,
				  ctrl->shadows, ctrl->shadows_dma);
	ctrl->shadows = NULL;
	pci_free_irq_vectors(ctrl->pdev);
}

/*
 * CC.MPS is the smallest that there is: the fewest scatter-gather lists have gaps for it. It
 * may not be larger than the CPU's pages, of which the lists are made.
 */
static int nvme_cmb_admin_enable(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_cmb_queue *admin = &ctrl->queues[0];
	u32 aqa = admin->ring.size - 1;
	u32 cc = NVME_CC_ENABLE | NVME_CC_CSS_NVM | NVME_CC_AMS_RR |
		 NVME_CC_IOSQES | NVME_CC_IOCQES;
	u32 csts;
	int ret;

	ctrl->page_shift = NVME_CAP_MPSMIN(ctrl->cap) + 12;
	if (ctrl->page_shift > PAGE_SHIFT)
		return -EOPNOTSUPP;
	cc |= NVME_CAP_MPSMIN(ctrl->cap) << NVME_CC_MPS_SHIFT;

	nvme_cmb_queue_reset(admin);
	writel(aqa << 16 | aqa, ctrl->regs + NVME_REG_AQA);
	lo_hi_writeq(admin->sq_dma, ctrl->regs + NVME_REG_ASQ);
	lo_hi_writeq(admin->cq_dma, ctrl->regs + NVME_REG_ACQ);
	writel(cc, ctrl->regs + NVME_REG_CC);
	ret = readl_poll_timeout(ctrl->regs + NVME_REG_CSTS, csts,
				 csts & (NVME_CSTS_RDY | NVME_CSTS_CFS),
				 100, nvme_cmb_ctrl_timeout_us(ctrl));
	if (!ret && (csts & NVME_CSTS_CFS || !nvme_cmb_ctrl_alive(ctrl)))
		ret = -EIO;
	if (ret)
		pci_warn(ctrl->pdev, "not enabled: CSTS 0x%08x\n", csts);
	else
		nvme_cmb_queue_start(admin);
	return ret;
}

static int nvme_cmb_admin_create_queue(struct nvme_cmb_ctrl *ctrl, unsigned int id)
{
	struct nvme_cmb_queue *queue = &ctrl->queues[id];
	struct nvme_command sqe = {};
	int ret;

	nvme_cmb_queue_reset(queue);
	sqe.create_cq.opcode = nvme_admin_create_cq;
	sqe.create_cq.prp1 = cpu_to_le64(queue->cq_dma);
	sqe.create_cq.cqid = cpu_to_le16(id);
	sqe.create_cq.qsize = cpu_to_le16(queue->ring.size - 1);
	sqe.create_cq.cq_flags = cpu_to_le16(NVME_QUEUE_PHYS_CONTIG);
	if (!nvme_cmb_admin_is_polled(ctrl, id)) {
		sqe.create_cq.cq_flags |= cpu_to_le16(NVME_CQ_IRQ_ENABLED);
		sqe.create_cq.irq_vector =
			cpu_to_le16(nvme_cmb_admin_vector(ctrl, id));
	}
	ret = nvme_cmb_cmd_sync(ctrl, 0, &sqe, NULL);
	if (ret)
		return ret;

	memset(&sqe, 0, sizeof(sqe));
	sqe.create_sq.opcode = nvme_admin_create_sq;
	sqe.create_sq.prp1 = cpu_to_le64(queue->sq_dma);
	sqe.create_sq.sqid = cpu_to_le16(id);
	sqe.create_sq.qsize = cpu_to_le16(queue->ring.size - 1);
	sqe.create_sq.sq_flags = cpu_to_le16(NVME_QUEUE_PHYS_CONTIG);
	sqe.create_sq.cqid = cpu_to_le16(id);
	return nvme_cmb_cmd_sync(ctrl, 0, &sqe, NULL);
}

/* Set Features, Number of Queues (1.4, 5.21.1.7): both counts are 0's based. */
static int nvme_cmb_admin_set_nr_queues(struct nvme_cmb_ctrl *ctrl, unsigned int *nr)
{
	struct nvme_command sqe = {};
	u32 result;
	int ret;

	sqe.features.opcode = nvme_admin_set_features;
	sqe.features.fid = cpu_to_le32(NVME_FEAT_NUM_QUEUES);
	sqe.features.dword11 = cpu_to_le32((*nr - 1) << 16 | (*nr - 1));
	ret = nvme_cmb_cmd_sync(ctrl, 0, &sqe, &result);
	if (!ret)
		*nr = min(*nr, min(result & 0xffff, result >> 16) + 1);
	return ret;
}

/*
 * Doorbell Buffer Config (1.4, 5.7): where an emulator looks for doorbells, so that most writes
 * to the registers can be omitted. Without that memory it works as well.
 *
 * Return: 0, also if the controller refuses; an errno if it is disabled now.
 */
static int nvme_cmb_admin_set_shadows(struct nvme_cmb_ctrl *ctrl, unsigned int nr)
{
	u32 stride = 4 << NVME_CAP_STRIDE(ctrl->cap), page = 1U << ctrl->page_shift;
	struct nvme_command sqe = {};
	unsigned int id;
	int ret;

	if (!ctrl->shadows)
		ctrl->shadows = dma_alloc_coherent(&ctrl->pdev->dev, 2 * page,
						   &ctrl->shadows_dma, GFP_KERNEL);
	if (!ctrl->shadows)
		return 0;
	memset(ctrl->shadows, 0, 2 * page);
	sqe.common.opcode = nvme_admin_dbbuf;
	sqe.common.dptr.prp1 = cpu_to_le64(ctrl->shadows_dma);
	sqe.common.dptr.prp2 = cpu_to_le64(ctrl->shadows_dma + page);
	ret = nvme_cmb_cmd_sync(ctrl, 0, &sqe, NULL);
	for (id = 1; !ret && id <= nr && (2 * id + 2) * stride <= page; id++)
		nvme_cmb_queue_set_shadow(&ctrl->queues[id], ctrl->shadows,
					  ctrl->shadows + page, stride);
	return min(ret, 0);
}

/**
 * nvme_cmb_admin_start - enable the controller, and give it its queues
 * @ctrl: the controller, disabled
 *
 * If that fails the controller is disabled again, and takes no commands. The CMB and the PMR
 * work without.
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 * Return: 0; a status of the controller's, or an errno.
 */
int nvme_cmb_admin_start(struct nvme_cmb_ctrl *ctrl)
{
	unsigned int nr, id;
	int ret;

	if (ctrl->nr_queues < 2)
		return -ENODEV;
	nr = ctrl->nr_queues - 1;
	mutex_lock(&ctrl->mutex);
	nvme_cmb_bounce_free_lost(ctrl);
	/* A controller that could not be disabled has lost it. */
	pci_set_master(ctrl->pdev);
	ret = nvme_cmb_admin_enable(ctrl);
	if (!ret)
		ret = nvme_cmb_cmd_identify_ctrl(ctrl);
	if (!ret)
		ret = nvme_cmb_admin_set_nr_queues(ctrl, &nr);
	for (id = 1; !ret && id <= nr; id++)
		ret = nvme_cmb_admin_create_queue(ctrl, id);
	/* INTx lasts until the register is written. */
	if (!ret && ctrl->has_shadows && pci_dev_msi_enabled(ctrl->pdev))
		ret = nvme_cmb_admin_set_shadows(ctrl, nr);
	if (!ret)
		ret = nvme_cmb_aen_start(ctrl);
	if (ret) {
		nvme_cmb_ctrl_disable_locked(ctrl);
		goto out_unlock;
	}
	for (id = 1; id <= nr; id++)
		nvme_cmb_queue_start(&ctrl->queues[id]);
	WRITE_ONCE(ctrl->nr_io, nr);
out_unlock:
	mutex_unlock(&ctrl->mutex);
	return ret;
}

/**
 * nvme_cmb_admin_setup - allocate queues and interrupts, and start the controller
 * @ctrl: the controller, disabled; bus mastering is enabled
 *
 * Interrupts are spread over the CPUs before the controller says how many queues it has. If it
 * has fewer, they are spread anew.
 *
 * Context: may sleep.
 * Return: as nvme_cmb_admin_start(). Also after an error nvme_cmb_admin_free() is called.
 */
int nvme_cmb_admin_setup(struct nvme_cmb_ctrl *ctrl)
{
	unsigned int nr_io;
	int ret;

	ret = nvme_cmb_admin_alloc(ctrl, NVME_CMB_MAX_IO_QUEUES);
	if (!ret)
		ret = nvme_cmb_admin_start(ctrl);
	nr_io = ctrl->nr_io;
	if (ret || nr_io == ctrl->nr_queues - 1)
		return ret;

	ret = nvme_cmb_ctrl_disable(ctrl);
	nvme_cmb_admin_free(ctrl);
	if (!ret)
		ret = nvme_cmb_admin_alloc(ctrl, nr_io);
	if (!ret)
		ret = nvme_cmb_admin_start(ctrl);
	return ret;
}
