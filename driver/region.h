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
 */
struct nvme_cmb_options {
	unsigned int block_size;
	const struct nvme_cmb_routine *routine;
	bool pmem;
};

extern struct nvme_cmb_options nvme_cmb_options;

/**
 * struct nvme_cmb_region - one memory of a controller
 * @win: the memory
 * @disk: the disk over that, or NULL
 * @pmem: or else who has it instead; NULL, too, if there is no such memory
 */
struct nvme_cmb_region {
	struct nvme_cmb_window win;
	struct nvme_cmb_disk *disk;
	struct nvme_cmb_pmem_dev *pmem;
};

#define NVME_CMB_KINDS	2

/*
 * Why requests wait: RESET, while someone resets the device; SLEEP, while tasks are frozen
 * and the device may be without power; RECOVERY, from a PCI error; SHUTDOWN, for good. Each
 * may come, and end, in the middle of another. Who has a pmem does not wait: what is
 * stored meanwhile may get lost, but for sleep, when nobody stores.
 */
enum nvme_cmb_hold {
	NVME_CMB_HOLD_RESET,
	NVME_CMB_HOLD_SLEEP,
	NVME_CMB_HOLD_RECOVERY,
	NVME_CMB_HOLD_SHUTDOWN,
	NVME_CMB_HOLDS
};

/**
 * struct nvme_cmb_regions - all memories of a controller
 * @ctrl: the controller
 * @region: the CMB, the PMR
 * @lock: protects @held, and the state of the controller that follows from it
 * @held: a bit for each enum nvme_cmb_hold that requests wait for
 * @lost: a bit for each memory that has lost what it held, and has a dead disk until
 *	nvme_cmb_regions_replace()
 */
struct nvme_cmb_regions {
	struct nvme_cmb_ctrl *ctrl;
	struct nvme_cmb_region region[NVME_CMB_KINDS];
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
void nvme_cmb_regions_replace(struct nvme_cmb_regions *regions,
			      struct nvme_cmb_ctrl *ctrl,
			      const struct nvme_cmb_options *options);
void nvme_cmb_regions_fail(struct nvme_cmb_regions *regions, bool for_good);
void nvme_cmb_regions_close(struct nvme_cmb_regions *regions);

#endif
