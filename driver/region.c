// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memories of one controller, and what is done to all of them at once.
 */
#include "region.h"

static const struct nvme_cmb_kind *const nvme_cmb_kinds[NVME_CMB_KINDS] = {
	&nvme_cmb_kind_cmb,
	&nvme_cmb_kind_pmr,
};

/**
 * nvme_cmb_regions_present - does a controller have any of these memories?
 * @ctrl: the controller
 *
 * Return: true if it does, usable or not.
 */
bool nvme_cmb_regions_present(const struct nvme_cmb_ctrl *ctrl)
{
	int i;

	for (i = 0; i < NVME_CMB_KINDS; i++)
		if (nvme_cmb_kinds[i]->present(ctrl))
			return true;
	return false;
}

static int nvme_cmb_region_add_disk(struct nvme_cmb_region *region,
				    const struct nvme_cmb_options *options)
{
	struct nvme_cmb_disk *disk;
	int ret;

	ret = nvme_cmb_window_map(&region->win);
	if (ret)
		return ret;

	ret = nvme_cmb_copy_choose(&region->win, options->routine);
	if (ret)
		goto out_unmap_window;

	disk = nvme_cmb_disk_add(&region->win, options->block_size);
	if (IS_ERR(disk)) {
		ret = PTR_ERR(disk);
		goto out_unmap_window;
	}
	region->disk = disk;
	return 0;

out_unmap_window:
	nvme_cmb_window_unmap(&region->win);
	return ret;
}

static int nvme_cmb_region_lend(struct nvme_cmb_region *region)
{
	struct nvme_cmb_pmem_dev *pmem = nvme_cmb_pmem_add(&region->win);

	if (IS_ERR(pmem))
		return PTR_ERR(pmem);
	region->pmem = pmem;
	return 0;
}

static int nvme_cmb_region_add(struct nvme_cmb_region *region,
			       struct nvme_cmb_ctrl *ctrl,
			       const struct nvme_cmb_kind *kind,
			       const struct nvme_cmb_options *options)
{
	struct nvme_cmb_window *win = &region->win;
	int ret;

	ret = nvme_cmb_window_open(win, ctrl, kind);
	if (ret)
		return ret;

	if (options->pmem && kind->memory && nvme_cmb_pmem_usable(win))
		ret = nvme_cmb_region_lend(region);
	else
		ret = nvme_cmb_region_add_disk(region, options);
	if (ret) {
		pci_err(ctrl->pdev, "%s left out: %pe\n", kind->name,
			ERR_PTR(ret));
		nvme_cmb_window_close(win);
	}
	return ret;
}

static void nvme_cmb_region_del(struct nvme_cmb_region *region)
{
	if (region->disk) {
		nvme_cmb_disk_del(region->disk);
		nvme_cmb_window_unmap(&region->win);
	} else if (region->pmem) {
		nvme_cmb_pmem_del(region->pmem);
	} else {
		return;
	}
	nvme_cmb_window_close(&region->win);
}

/**
 * nvme_cmb_regions_add - make disks of a controller's memories, or lend them
 * @regions: filled in on success; all zeros before
 * @ctrl: the controller, disabled
 * @options: what the user wants
 *
 * A memory that cannot be used is left out, which is said in the log, as long as
 * anything is left.
 *
 * Context: may sleep.
 * Return: 0, or the errno of the first if nothing is left.
 */
int nvme_cmb_regions_add(struct nvme_cmb_regions *regions,
			 struct nvme_cmb_ctrl *ctrl,
			 const struct nvme_cmb_options *options)
{
	bool any = false;
	int ret = 0, err, i;

	regions->ctrl = ctrl;
	spin_lock_init(&regions->lock);
	for (i = 0; i < NVME_CMB_KINDS; i++) {
		if (!nvme_cmb_kinds[i]->present(ctrl))
			continue;
		err = nvme_cmb_region_add(&regions->region[i], ctrl,
					  nvme_cmb_kinds[i], options);
		if (!err)
			any = true;
		else if (!ret)
			ret = err;
	}
	return any ? 0 : ret;
}

/**
 * nvme_cmb_regions_del - undo nvme_cmb_regions_add()
 * @regions: the memories
 *
 * Requests that wait do so no longer: a recovery may have failed, a device have left in
 * its sleep, or a shutdown not have got far yet.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_del(struct nvme_cmb_regions *regions)
{
	unsigned int why;
	int i;

	for_each_set_bit(why, &regions->held, NVME_CMB_HOLDS)
		nvme_cmb_regions_release(regions, why);
	for (i = 0; i < NVME_CMB_KINDS; i++)
		nvme_cmb_region_del(&regions->region[i]);
}

/* Return: true if that is a change. */
static bool nvme_cmb_regions_set_held(struct nvme_cmb_regions *regions,
				      enum nvme_cmb_hold why, bool held)
{
	bool change;

	spin_lock(&regions->lock);
	change = held != test_bit(why, &regions->held);
	if (change) {
		__change_bit(why, &regions->held);
		nvme_cmb_ctrl_set_state(regions->ctrl, regions->held ?
					NVME_CMB_CTRL_RESETTING :
					NVME_CMB_CTRL_LIVE);
	}
	spin_unlock(&regions->lock);
	return change;
}

/**
 * nvme_cmb_regions_hold - let requests wait
 * @regions: the memories
 * @why: until that is over
 *
 * Requests that are held for several reasons wait for all to end. The driver core's lock
 * on the device serialises all who hold; who releases may come at any time, but not
 * while they are being held for the same reason. Who has a pmem cannot be held: flushes
 * fail.
 *
 * What was written is flushed, for what comes now may be the end of the device's power, and
 * nobody else thinks of what was written long ago. Only not for a recovery: the device
 * has had an error, and keeps its power.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_hold(struct nvme_cmb_regions *regions,
			   enum nvme_cmb_hold why)
{
	int i;

	if (!nvme_cmb_regions_set_held(regions, why, true))
		return;
	for (i = 0; i < NVME_CMB_KINDS; i++) {
		struct nvme_cmb_region *region = &regions->region[i];

		if (!region->disk && !region->pmem)
			continue;
		if (region->disk)
			nvme_cmb_disk_hold(region->disk);
		else
			nvme_cmb_pmem_hold(region->pmem);
		if (why != NVME_CMB_HOLD_RECOVERY &&
		    nvme_cmb_window_flush(&region->win) && region->pmem)
			nvme_cmb_pmem_note_loss(region->pmem);
	}
}

/**
 * nvme_cmb_regions_release - undo nvme_cmb_regions_hold(), if that was done
 * @regions: the memories
 * @why: what is over
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_release(struct nvme_cmb_regions *regions,
			      enum nvme_cmb_hold why)
{
	int i;

	if (!nvme_cmb_regions_set_held(regions, why, false))
		return;
	for (i = 0; i < NVME_CMB_KINDS; i++) {
		struct nvme_cmb_region *region = &regions->region[i];

		if (region->disk)
			nvme_cmb_disk_release(region->disk);
		if (!region->pmem)
			continue;
		if (why != NVME_CMB_HOLD_SLEEP)
			nvme_cmb_pmem_note_loss(region->pmem);
		nvme_cmb_pmem_release(region->pmem);
	}
}

/**
 * nvme_cmb_regions_restore - the device is back, they say
 * @regions: the memories, held unless a recovery has taken too long
 *
 * What is not what it was fails its requests. What only has lost its contents does so
 * for good, and waits for nvme_cmb_regions_replace(). After a shutdown all stays closed.
 *
 * Context: may sleep.
 * Return: 0, or an errno if one of them is not what it was.
 */
int nvme_cmb_regions_restore(struct nvme_cmb_regions *regions)
{
	int ret = 0, err, i;

	if (test_bit(NVME_CMB_HOLD_SHUTDOWN, &regions->held))
		return -ESHUTDOWN;

	for (i = 0; i < NVME_CMB_KINDS; i++) {
		struct nvme_cmb_region *region = &regions->region[i];

		if (!region->disk && !region->pmem)
			continue;
		err = nvme_cmb_window_restore(&region->win);
		if (!err)
			continue;
		if (err == -ENODATA && region->disk) {
			set_bit(i, &regions->lost);
			nvme_cmb_disk_mark_dead(region->disk,
						"a reset has cleared what it held");
			continue;
		}
		if (region->disk)
			nvme_cmb_disk_fail(region->disk, NULL);
		else
			nvme_cmb_pmem_note_loss(region->pmem);
		ret = err;
	}
	return ret;
}

/**
 * nvme_cmb_regions_replace - make new disks where a memory has lost what it held
 * @regions: the memories, which nothing holds
 * @ctrl: the controller, disabled
 * @options: what the user wants
 *
 * The old disk may have users for as long as they like; they get errors.
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 */
void nvme_cmb_regions_replace(struct nvme_cmb_regions *regions,
			      struct nvme_cmb_ctrl *ctrl,
			      const struct nvme_cmb_options *options)
{
	unsigned int i;

	for_each_set_bit(i, &regions->lost, NVME_CMB_KINDS) {
		struct nvme_cmb_region *region = &regions->region[i];

		nvme_cmb_region_del(region);
		memset(region, 0, sizeof(*region));
		nvme_cmb_region_add(region, ctrl, nvme_cmb_kinds[i], options);
		clear_bit(i, &regions->lost);
	}
}

/**
 * nvme_cmb_regions_fail - there is no recovery
 * @regions: the memories
 * @for_good: nor will there be one
 *
 * Requests fail, and those that wait for the recovery do so now.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_fail(struct nvme_cmb_regions *regions, bool for_good)
{
	int i;

	for (i = 0; i < NVME_CMB_KINDS; i++) {
		struct nvme_cmb_disk *disk = regions->region[i].disk;

		if (disk && for_good)
			nvme_cmb_disk_mark_dead(disk, "the error is permanent");
		else if (disk)
			nvme_cmb_disk_fail(disk, "there is no recovery");
	}
	if (for_good)
		nvme_cmb_ctrl_set_state(regions->ctrl, NVME_CMB_CTRL_DEAD);
	nvme_cmb_regions_release(regions, NVME_CMB_HOLD_RECOVERY);
}

/**
 * nvme_cmb_regions_close - leave the memories as they were found, for good
 * @regions: the memories, held
 *
 * Who removes the device after that releases them: requests then look first whether
 * there is still a window.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_close(struct nvme_cmb_regions *regions)
{
	int i;

	for (i = 0; i < NVME_CMB_KINDS; i++) {
		struct nvme_cmb_region *region = &regions->region[i];

		if (!region->disk && !region->pmem)
			continue;
		nvme_cmb_window_close(&region->win);
		if (region->disk)
			set_bit(NVME_CMB_FAILED, &region->disk->state);
	}
}
