// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller's device: /dev/nvme_cmb_ctrl0, in /sys/class/nvme_cmb, the parent of its disks.
 * The character device is for ioctls only.
 */
#include <linux/fs.h>
#include <linux/module.h>

#include "ctrl.h"

/* Controllers have minors by their numbers. */
#define NVME_CMB_MINORS		BIT(MINORBITS)

static dev_t nvme_cmb_devt;

static struct class nvme_cmb_class = {
	.name		= KBUILD_MODNAME,
	.dev_groups	= nvme_cmb_control_groups,
};

static int nvme_cmb_control_open(struct inode *inode, struct file *file)
{
	file->private_data = container_of(inode->i_cdev, struct nvme_cmb_ctrl, control.cdev);
	return 0;
}

static long nvme_cmb_control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return nvme_cmb_ioctl(file->private_data, cmd, (void __user *)arg, false);
}

/* There is no ->uring_cmd: io_uring refuses passthrough with EOPNOTSUPP. */
static const struct file_operations nvme_cmb_control_fops = {
	.owner		= THIS_MODULE,
	.open		= nvme_cmb_control_open,
	.unlocked_ioctl	= nvme_cmb_control_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/* The last opener is gone, and the last disk. */
static void nvme_cmb_control_release(struct device *dev)
{
	nvme_cmb_ctrl_put(dev_get_drvdata(dev));
}

/* An attribute that the controller does not have has no node. */
static void nvme_cmb_control_find_nodes(struct nvme_cmb_control *control)
{
	static const char *const names[NVME_CMB_EVENTS] = {
		[NVME_CMB_EVENT_STATE]		= "state",
		[NVME_CMB_EVENT_WARNING]	= "critical_warning",
		[NVME_CMB_EVENT_PMR]		= "pmr_health",
	};
	struct kernfs_node *node;
	int i;

	for (i = 0; i < NVME_CMB_EVENTS; i++) {
		node = sysfs_get_dirent(control->dev.kobj.sd, names[i]);
		/* Whoever sees the node sees what is in it. */
		smp_store_release(&control->nodes[i], node);
	}
}

/**
 * nvme_cmb_control_add - register the controller's device
 * @ctrl: the controller, which has its queues if it takes commands
 *
 * Context: may sleep. The caller has the driver core's lock on the PCI function.
 * Return: 0, or an errno.
 */
int nvme_cmb_control_add(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_cmb_control *control = &ctrl->control;
	int index = nvme_cmb_ctrl_get_index(ctrl), ret;

	if (index < 0)
		return index;
	if (index >= NVME_CMB_MINORS)
		return -ENOSPC;
	device_initialize(&control->dev);
	control->dev.class = &nvme_cmb_class;
	control->dev.parent = &ctrl->pdev->dev;
	control->dev.devt = MKDEV(MAJOR(nvme_cmb_devt), index);
	control->dev.release = nvme_cmb_control_release;
	dev_set_drvdata(&control->dev, ctrl);
	/* Put by nvme_cmb_control_release(). */
	nvme_cmb_ctrl_get(ctrl);

	ret = dev_set_name(&control->dev, "nvme_cmb_ctrl%d", index);
	if (ret)
		goto out_put_device;
	cdev_init(&control->cdev, &nvme_cmb_control_fops);
	control->cdev.owner = THIS_MODULE;
	/* udev opens the device as soon as it is there. Its commands, and events, wait. */
	down_write(&control->lock);
	ret = cdev_device_add(&control->cdev, &control->dev);
	control->live = !ret;
	up_write(&control->lock);
	if (ret)
		goto out_put_device;
	nvme_cmb_control_find_nodes(control);
	return 0;

out_put_device:
	put_device(&control->dev);
	return ret;
}

/**
 * nvme_cmb_control_stop - end all that user space has asked of the controller
 * @ctrl: the controller, which will be removed
 *
 * Commands that do not end by themselves are aborted. If that does not help, the controller is
 * disabled.
 *
 * Context: may sleep, for some seconds.
 */
void nvme_cmb_control_stop(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_cmb_control *control = &ctrl->control;

	WRITE_ONCE(control->stopping, true);
	wake_up_all(&control->wait);
	down_write(&control->lock);
	control->live = false;
	up_write(&control->lock);
	nvme_cmb_control_notify(control, NVME_CMB_EVENT_STATE);
}

/**
 * nvme_cmb_control_del - undo nvme_cmb_control_add()
 * @ctrl: the controller, stopped by nvme_cmb_control_stop(), without disks
 *
 * Whoever polls an attribute is woken up when it is gone: sysfs itself would not do that.
 *
 * Context: may sleep; waits for those who read attributes.
 */
void nvme_cmb_control_del(struct nvme_cmb_ctrl *ctrl)
{
	struct nvme_cmb_control *control = &ctrl->control;
	int i;

	cdev_device_del(&control->cdev, &control->dev);
	for (i = 0; i < NVME_CMB_EVENTS; i++)
		nvme_cmb_control_notify(control, i);
	put_device(&control->dev);
}

/**
 * nvme_cmb_control_register - make the class that the controllers' devices are in
 *
 * Context: may sleep; module init.
 * Return: 0, or an errno.
 */
int nvme_cmb_control_register(void)
{
	int ret;

	ret = nvme_cmb_control_alloc_groups();
	if (ret)
		return ret;
	ret = alloc_chrdev_region(&nvme_cmb_devt, 0, NVME_CMB_MINORS, KBUILD_MODNAME);
	if (ret)
		goto out_free_groups;
	ret = class_register(&nvme_cmb_class);
	if (ret)
		goto out_unregister_region;
	return 0;

out_unregister_region:
	unregister_chrdev_region(nvme_cmb_devt, NVME_CMB_MINORS);
out_free_groups:
	nvme_cmb_control_free_groups();
	return ret;
}

/**
 * nvme_cmb_control_unregister - undo nvme_cmb_control_register()
 *
 * Context: may sleep; module exit.
 */
void nvme_cmb_control_unregister(void)
{
	class_unregister(&nvme_cmb_class);
	unregister_chrdev_region(nvme_cmb_devt, NVME_CMB_MINORS);
	nvme_cmb_control_free_groups();
}
