// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memories of one controller: from registers to disks, and what happens to all at once.
 */
#include "admin.h"
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

static struct nvme_cmb_user *
nvme_cmb_region_add_disk(struct nvme_cmb_window *win,
			 const struct nvme_cmb_options *options)
{
	struct nvme_cmb_user *user;
	int ret;

	ret = nvme_cmb_window_map(win);
	if (ret)
		return ERR_PTR(ret);

	ret = nvme_cmb_copy_choose(win, options->routine);
	if (ret)
		goto out_unmap_window;

	user = nvme_cmb_disk_add(win, options->block_size);
	if (IS_ERR(user)) {
		ret = PTR_ERR(user);
		goto out_unmap_window;
	}
	return user;

out_unmap_window:
	nvme_cmb_window_unmap(win);
	return ERR_PTR(ret);
}

static int nvme_cmb_region_add(struct nvme_cmb_regions *regions, unsigned int i)
{
	const struct nvme_cmb_kind *kind = nvme_cmb_kinds[i];
	struct nvme_cmb_window *win = &regions->win[i];
	struct nvme_cmb_user *user;
	int ret;

	/* A user that is added now would miss the hold, and be released all the same. */
	if (WARN_ON_ONCE(regions->held))
		return -EBUSY;

	win->ctrl = regions->ctrl;
	win->kind = kind;
	ret = kind->open(win);
	if (ret)
		return ret;

	if (NVME_CMB_HAVE_PMEM && regions->options->pmem && kind->memory &&
	    nvme_cmb_pmem_usable(win))
		user = nvme_cmb_pmem_add(win);
	else
		user = nvme_cmb_region_add_disk(win, regions->options);
	if (IS_ERR(user)) {
		pci_err(regions->ctrl->pdev, "%s left out: %pe\n", kind->name,
			user);
		kind->disable(win);
		return PTR_ERR(user);
	}
	list_add_tail(&user->node, &win->users);
	return 0;
}

/* Nobody uses a memory that the controller does not have, or that is not usable. */
static bool nvme_cmb_region_used(const struct nvme_cmb_window *win)
{
	return !list_empty(&win->users);
}

static void nvme_cmb_region_del(struct nvme_cmb_window *win)
{
	struct nvme_cmb_user *user, *next;

	if (!nvme_cmb_region_used(win))
		return;
	list_for_each_entry_safe(user, next, &win->users, node) {
		list_del(&user->node);
		user->ops->del(user);
	}
	if (win->bar)
		nvme_cmb_window_unmap(win);
	win->kind->disable(win);
}

/**
 * nvme_cmb_regions_add - make disks of a controller's memories, or give them to libnvdimm
 * @regions: filled in on success; all zeros before
 * @ctrl: the controller, whose CMB and PMR nobody uses
 * @options: what the user wants; valid as long as @regions
 *
 * A memory that cannot be used is left out, if another one can. That is said in the log.
 *
 * Context: may sleep.
 * Return: 0, or the errno of the first memory if none can be used.
 */
int nvme_cmb_regions_add(struct nvme_cmb_regions *regions,
			 struct nvme_cmb_ctrl *ctrl,
			 const struct nvme_cmb_options *options)
{
	bool any = false;
	int ret = 0, err, i;

	regions->ctrl = ctrl;
	regions->options = options;
	spin_lock_init(&regions->lock);
	for (i = 0; i < NVME_CMB_KINDS; i++) {
		INIT_LIST_HEAD(&regions->win[i].users);
		if (!nvme_cmb_kinds[i]->present(ctrl))
			continue;
		err = nvme_cmb_region_add(regions, i);
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
 * Users that are held are released first: a recovery may have failed, the device may have
 * left while the system slept, or a shutdown may be under way.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_del(struct nvme_cmb_regions *regions)
{
	unsigned int why, i;

	for_each_set_bit(why, &regions->held, NVME_CMB_HOLDS)
		nvme_cmb_regions_release(regions, why);
	for (i = 0; i < NVME_CMB_KINDS; i++)
		nvme_cmb_region_del(&regions->win[i]);
}

/* Return: true if that is a change. */
static bool nvme_cmb_regions_set_held(struct nvme_cmb_regions *regions,
				      enum nvme_cmb_hold why, bool held)
{
	bool change;

	spin_lock(&regions->lock);
	change = held != test_bit(why, &regions->held);
	if (change) {
		change_bit(why, &regions->held);
		nvme_cmb_ctrl_set_state(regions->ctrl, regions->held ?
					NVME_CMB_CTRL_RESETTING :
					NVME_CMB_CTRL_LIVE);
	}
	spin_unlock(&regions->lock);
	return change;
}

static void nvme_cmb_region_note_loss(struct nvme_cmb_window *win)
{
	struct nvme_cmb_user *user;

	list_for_each_entry(user, &win->users, node)
		if (user->ops->note_loss)
			user->ops->note_loss(user);
}

static void nvme_cmb_region_hold(struct nvme_cmb_window *win,
				 enum nvme_cmb_hold why)
{
	struct nvme_cmb_user *user;

	if (!nvme_cmb_region_used(win))
		return;
	list_for_each_entry(user, &win->users, node)
		user->ops->hold(user);
	if (why != NVME_CMB_HOLD_RECOVERY && nvme_cmb_window_flush(win))
		nvme_cmb_region_note_loss(win);
}

/**
 * nvme_cmb_regions_hold - hold the users of all memories
 * @regions: the memories
 * @why: until that is over
 *
 * Users that are held for several reasons wait for the end of all. The driver core's lock on
 * the device serialises those who hold. Those who release may do so at any time, but not
 * while the users are being held for the same reason.
 *
 * What was written is flushed, because the device may lose its power, and nobody else
 * flushes what was written long ago. Not for a recovery: the device has had an error, and
 * keeps its power.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_hold(struct nvme_cmb_regions *regions,
			   enum nvme_cmb_hold why)
{
	unsigned int i;

	if (!nvme_cmb_regions_set_held(regions, why, true))
		return;
	for (i = 0; i < NVME_CMB_KINDS; i++)
		nvme_cmb_region_hold(&regions->win[i], why);
}

static void nvme_cmb_region_release(struct nvme_cmb_window *win,
				    enum nvme_cmb_hold why)
{
	struct nvme_cmb_user *user;

	if (why != NVME_CMB_HOLD_SLEEP)
		nvme_cmb_region_note_loss(win);
	list_for_each_entry(user, &win->users, node)
		user->ops->release(user);
}

/**
 * nvme_cmb_regions_release - undo nvme_cmb_regions_hold(), if that was done
 * @regions: the memories
 * @why: what is over
 *
 * Stores of users that cannot be held may be lost meanwhile. While the system sleeps there
 * are none.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_release(struct nvme_cmb_regions *regions,
			      enum nvme_cmb_hold why)
{
	unsigned int i;

	if (!nvme_cmb_regions_set_held(regions, why, false))
		return;
	for (i = 0; i < NVME_CMB_KINDS; i++)
		nvme_cmb_region_release(&regions->win[i], why);
}

static void nvme_cmb_region_fail(struct nvme_cmb_window *win, const char *why,
				 bool for_good)
{
	struct nvme_cmb_user *user;

	list_for_each_entry(user, &win->users, node)
		user->ops->fail(user, why, for_good);
}

/* @gone: 0, or the reason why the controller is not what it was */
static int nvme_cmb_region_restore(struct nvme_cmb_regions *regions,
				   unsigned int i, int gone)
{
	struct nvme_cmb_window *win = &regions->win[i];
	int ret;

	if (!nvme_cmb_region_used(win))
		return 0;
	ret = gone ?: nvme_cmb_window_revalidate(win);
	if (ret == -ENODATA) {
		set_bit(i, &regions->lost);
		nvme_cmb_region_fail(win, "a reset has cleared what it held", true);
		return 0;
	}
	if (ret)
		nvme_cmb_region_fail(win, NULL, false);
	return ret;
}

/**
 * nvme_cmb_regions_restore - after a reset, bring the controller and its memories back
 * @regions: the memories. They are held, unless a recovery has taken too long, or the
 *	controller alone is reset
 *
 * The users of a memory that is not what it was fail. If it has only lost what it held, they
 * fail for good, and it waits for nvme_cmb_regions_replace(). After a shutdown nothing comes
 * back, nor does a controller that is dead.
 *
 * Context: may sleep.
 * Return: 0, also if a memory has only lost what it held; -ESHUTDOWN after a shutdown; or the
 * errno of the last memory that is not what it was.
 */
int nvme_cmb_regions_restore(struct nvme_cmb_regions *regions)
{
	int gone, ret, err;
	unsigned int i;

	if (test_bit(NVME_CMB_HOLD_SHUTDOWN, &regions->held))
		return -ESHUTDOWN;
	if (nvme_cmb_ctrl_is(regions->ctrl, NVME_CMB_CTRL_DEAD))
		return -ENODEV;

	gone = nvme_cmb_ctrl_disable(regions->ctrl);
	if (!gone && !nvme_cmb_ctrl_regs_match(regions->ctrl))
		gone = -ENODEV;
	ret = gone;
	for (i = 0; i < NVME_CMB_KINDS; i++) {
		err = nvme_cmb_region_restore(regions, i, gone);
		if (err)
			ret = err;
	}
	/* Not earlier: commands for a CMB that is not what it was move nothing. */
	if (!gone && nvme_cmb_admin_start(regions->ctrl))
		pci_warn(regions->ctrl->pdev, "takes no commands\n");
	return ret;
}

/**
 * nvme_cmb_regions_replace - make new disks of memories that have lost what they held
 * @regions: the memories, which nothing holds
 *
 * The old disk may have openers for as long as they like. They get errors.
 *
 * Context: may sleep. The caller has the driver core's lock on the device.
 */
void nvme_cmb_regions_replace(struct nvme_cmb_regions *regions)
{
	unsigned int i;

	for_each_set_bit(i, &regions->lost, NVME_CMB_KINDS) {
		struct nvme_cmb_window *win = &regions->win[i];

		nvme_cmb_region_del(win);
		memset(win, 0, sizeof(*win));
		INIT_LIST_HEAD(&win->users);
		nvme_cmb_region_add(regions, i);
		clear_bit(i, &regions->lost);
	}
}

/**
 * nvme_cmb_regions_fail - a recovery has failed
 * @regions: the memories
 * @for_good: there will not be another one
 *
 * Users fail, also those that wait for the end of the recovery.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_fail(struct nvme_cmb_regions *regions, bool for_good)
{
	const char *why = for_good ? "the error is permanent" :
				     "there is no recovery";
	unsigned int i;

	for (i = 0; i < NVME_CMB_KINDS; i++)
		nvme_cmb_region_fail(&regions->win[i], why, for_good);
	if (for_good)
		nvme_cmb_ctrl_set_state(regions->ctrl, NVME_CMB_CTRL_DEAD);
	nvme_cmb_regions_release(regions, NVME_CMB_HOLD_RECOVERY);
}

/**
 * nvme_cmb_regions_disable - leave the memories as they were found
 * @regions: the memories, held for good
 *
 * Removing the device after that releases the users. Their next request finds the registers
 * changed, and fails.
 *
 * Context: may sleep.
 */
void nvme_cmb_regions_disable(struct nvme_cmb_regions *regions)
{
	unsigned int i;

	for (i = 0; i < NVME_CMB_KINDS; i++)
		if (nvme_cmb_region_used(&regions->win[i]))
			nvme_cmb_kinds[i]->disable(&regions->win[i]);
}
