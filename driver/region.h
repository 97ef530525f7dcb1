/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memories of a controller, all at once.
 */
#ifndef NVME_CMB_REGION_H
#define NVME_CMB_REGION_H

#include "disk.h"
#include "pmem.h"

/**
 * struct nvme_cmb_options - what the user wants, by the module's parameters
 * @block_size: logical block size
 * @routine: copy routine, or NULL for the cheapest
 * @pmem: a PMR is for libnvdimm
 * @poll_queues: I/O queues for polled requests
 * @staging: namespace for scratch blocks, 0 for none
 */
struct nvme_cmb_options {
	unsigned int block_size;
	const struct nvme_cmb_routine *routine;
	bool pmem;
	unsigned int poll_queues;
	unsigned int staging;
};

extern struct nvme_cmb_options nvme_cmb_options;

#define NVME_CMB_KINDS	2

/*
 * Why the users of all memories are held. Each reason may begin and end while another lasts.
 */
enum nvme_cmb_hold {
	NVME_CMB_HOLD_RESET,	/* someone resets the device */
	NVME_CMB_HOLD_SLEEP,	/* tasks are frozen, the device may lose its power */
	NVME_CMB_HOLD_RECOVERY,	/* from a PCI error */
	NVME_CMB_HOLD_SHUTDOWN,	/* of the system, for good */
	NVME_CMB_HOLDS
};

/**
 * struct nvme_cmb_regions - all memories of a controller
 * @ctrl: the controller
 * @options: what the user wants
 * @win: the CMB, the PMR
 * @lock: protects @held, and the state of the controller that follows from it
 * @held: a bit for each enum nvme_cmb_hold
 * @lost: a bit for each memory that a reset has cleared. Its disk is dead, and
 *	nvme_cmb_regions_replace() makes a new one. The driver core's lock on the device
 *	protects it
 */
struct nvme_cmb_regions {
	struct nvme_cmb_ctrl *ctrl;
	const struct nvme_cmb_options *options;
	struct nvme_cmb_window win[NVME_CMB_KINDS];
	spinlock_t lock;	/* of held */
	unsigned long held;
	unsigned long lost;
};

bool nvme_cmb_regions_present(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_regions_add(struct nvme_cmb_regions *regions,
			 struct nvme_cmb_ctrl *ctrl,
			 const struct nvme_cmb_options *options);
void nvme_cmb_regions_del(struct nvme_cmb_regions *regions);
void nvme_cmb_regions_hold(struct nvme_cmb_regions *regions,
			   enum nvme_cmb_hold why);
void nvme_cmb_regions_release(struct nvme_cmb_regions *regions,
			      enum nvme_cmb_hold why);
int nvme_cmb_regions_restore(struct nvme_cmb_regions *regions);
void nvme_cmb_regions_replace(struct nvme_cmb_regions *regions);
void nvme_cmb_regions_fail(struct nvme_cmb_regions *regions, bool for_good);
void nvme_cmb_regions_disable(struct nvme_cmb_regions *regions);

#endif
