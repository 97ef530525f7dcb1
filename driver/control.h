/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What user space asks of a controller, and what it is told: the controller's device, with its
 * ioctls, attributes and events.
 */
#ifndef NVME_CMB_CONTROL_H
#define NVME_CMB_CONTROL_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/sysfs.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "queue.h"

struct nvme_cmb_ctrl;

/* How many commands of user space a controller has at a time: the driver needs room for its own */
#define NVME_CMB_MAX_PASS	8

/**
 * enum nvme_cmb_event - attributes of the controller's device that one can poll(2)
 * @NVME_CMB_EVENT_STATE: state
 * @NVME_CMB_EVENT_WARNING: critical_warning
 * @NVME_CMB_EVENT_PMR: pmr_health
 */
enum nvme_cmb_event {
	NVME_CMB_EVENT_STATE,
	NVME_CMB_EVENT_WARNING,
	NVME_CMB_EVENT_PMR,
	NVME_CMB_EVENTS
};

/**
 * struct nvme_cmb_control - the controller's device
 * @dev: in /sys/class/nvme_cmb, and the parent of the disks; has a reference to the controller
 * @cdev: the character device
 * @lock: read by those who use the controller on behalf of user space, written to end that
 * @live: they may; protected by @lock
 * @stopping: they have to hurry: the controller will be removed
 * @wait: for the end of a command of user space, and for @stopping
 * @slots: limits such commands to NVME_CMB_MAX_PASS
 * @nodes: the attributes that one can poll, in sysfs; each is NULL or valid as long as the
 *	controller
 */
struct nvme_cmb_control {
	struct device dev;
	struct cdev cdev;
	struct rw_semaphore lock;	/* see above */
	bool live;
	bool stopping;
	wait_queue_head_t wait;
	struct semaphore slots;
	struct kernfs_node *nodes[NVME_CMB_EVENTS];
};

/**
 * struct nvme_cmb_aen - asynchronous events (1.4, 5.2)
 * @cmd: the Asynchronous Event Request
 * @pending: bit 0 is set as long as the controller has it, or @work will submit it again
 * @offered: notices that the controller offers (OAES)
 * @result: what the last one was, for @work
 * @work: takes note of it
 */
struct nvme_cmb_aen {
	struct nvme_cmb_cmd cmd;
	unsigned long pending;
	u32 offered;
	u32 result;
	struct work_struct work;
};

/**
 * struct nvme_cmb_identity - who the controller is, by Identify, as strings
 * @serial: serial number
 * @model: model number
 * @firmware_rev: firmware revision
 */
struct nvme_cmb_identity {
	char serial[20 + 1];
	char model[40 + 1];
	char firmware_rev[8 + 1];
};

/**
 * nvme_cmb_control_init - make the rest usable
 * @control: all zeros
 *
 * Context: any.
 */
static inline void nvme_cmb_control_init(struct nvme_cmb_control *control)
{
	init_rwsem(&control->lock);
	init_waitqueue_head(&control->wait);
	sema_init(&control->slots, NVME_CMB_MAX_PASS);
}

/**
 * nvme_cmb_control_put_nodes - the last user of the controller is gone
 * @control: the controller's device
 *
 * Context: process.
 */
static inline void nvme_cmb_control_put_nodes(struct nvme_cmb_control *control)
{
	int i;

	for (i = 0; i < NVME_CMB_EVENTS; i++)
		sysfs_put(control->nodes[i]);
}

/**
 * nvme_cmb_control_enter - begin to use the controller on behalf of user space
 * @control: the controller's device
 *
 * Context: may sleep.
 * Return: 0, -ENODEV if the controller is being removed, or -EINTR.
 */
static inline int nvme_cmb_control_enter(struct nvme_cmb_control *control)
{
	if (down_read_killable(&control->lock))
		return -EINTR;
	if (control->live)
		return 0;
	up_read(&control->lock);
	return -ENODEV;
}

/**
 * nvme_cmb_control_exit - undo nvme_cmb_control_enter()
 * @control: the controller's device
 *
 * Context: process.
 */
static inline void nvme_cmb_control_exit(struct nvme_cmb_control *control)
{
	up_read(&control->lock);
}

/**
 * nvme_cmb_control_notify - wake up those who poll an attribute
 * @control: the controller's device
 * @event: the attribute, which may have changed
 *
 * Context: any.
 */
static inline void nvme_cmb_control_notify(struct nvme_cmb_control *control,
					   enum nvme_cmb_event event)
{
	/* Pairs with the release in nvme_cmb_control_find_nodes(). */
	struct kernfs_node *node = smp_load_acquire(&control->nodes[event]);

	if (node)
		sysfs_notify_dirent(node);
}

int nvme_cmb_control_register(void);
void nvme_cmb_control_unregister(void);
int nvme_cmb_control_add(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_control_stop(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_control_del(struct nvme_cmb_ctrl *ctrl);

int nvme_cmb_ioctl(struct nvme_cmb_ctrl *ctrl, unsigned int cmd, void __user *arg,
		   bool partition);

int nvme_cmb_control_alloc_groups(void);
void nvme_cmb_control_free_groups(void);

extern const struct attribute_group *nvme_cmb_control_groups[];

#endif
