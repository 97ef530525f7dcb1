// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets of a controller that is bound: by the PCI core, for sleep, after errors. All of them
 * end in nvme_cmb_restore().
 */
#include <linux/sched/mm.h>
#include <linux/suspend.h>

#include "pci.h"

static void nvme_cmb_recovery_timed_out(struct work_struct *work)
{
	struct nvme_cmb_dev *dev = container_of(work, struct nvme_cmb_dev,
						recovery_timeout.work);

	pci_err(dev->ctrl.pdev, "not recovered within %u s\n",
		NVME_CMB_RECOVERY_SECONDS);
	nvme_cmb_regions_fail(&dev->regions, false);
}

/*
 * Disks come and go under the driver core's lock on the device, as in probe and remove. The
 * task that has the lock may wait for the end of this work. So this work does not wait for
 * the lock, but tries again later. It does the same while the users are held.
 */
static void nvme_cmb_replace(struct work_struct *work)
{
	struct nvme_cmb_dev *dev = container_of(work, struct nvme_cmb_dev,
						replace.work);
	struct device *device = &dev->ctrl.pdev->dev;
	bool held = true;

	if (nvme_cmb_ctrl_is(&dev->ctrl, NVME_CMB_CTRL_DEAD))
		return;
	if (device_trylock(device)) {
		held = dev->regions.held;
		if (!held) {
			/* The timeout may have released the users, and still be running. */
			cancel_delayed_work_sync(&dev->recovery_timeout);
			nvme_cmb_regions_replace(&dev->regions);
		}
		device_unlock(device);
	}
	if (held)
		queue_delayed_work(system_freezable_wq, &dev->replace, HZ / 10);
}

/*
 * All resets end here. Disks are replaced later, by the work: the users are still held, and
 * the system may be asleep. After a shutdown nothing is replaced.
 */
static int nvme_cmb_restore(struct nvme_cmb_dev *dev)
{
	unsigned int noio_flags;
	int ret;

	/* Memory may be short, with swap on a disk whose requests wait for the end of this. */
	noio_flags = memalloc_noio_save();
	ret = nvme_cmb_regions_restore(&dev->regions);
	memalloc_noio_restore(noio_flags);

	if (ret != -ESHUTDOWN && dev->regions.lost)
		queue_delayed_work(system_freezable_wq, &dev->replace, 0);
	return ret;
}

/*
 * The controller has failed, and the CPU serves the requests of its commands. If it does not
 * answer, it may do so later, and has to be disabled then.
 */
static void nvme_cmb_reset_work(struct work_struct *work)
{
	struct nvme_cmb_dev *dev = container_of(work, struct nvme_cmb_dev,
						ctrl.reset.work);
	struct device *device = &dev->ctrl.pdev->dev;
	bool again = !test_bit(NVME_CMB_HOLD_SHUTDOWN, &dev->regions.held);

	if (nvme_cmb_ctrl_is(&dev->ctrl, NVME_CMB_CTRL_DEAD))
		return;
	if (device_trylock(device)) {
		/* Another reset may have started it again. */
		if (READ_ONCE(dev->ctrl.nr_io)) {
			again = false;
		} else if (!dev->regions.held && nvme_cmb_ctrl_alive(&dev->ctrl)) {
			nvme_cmb_restore(dev);
			again = READ_ONCE(dev->ctrl.stray);
		}
		device_unlock(device);
	}
	if (again)
		queue_delayed_work(system_freezable_wq, &dev->ctrl.reset, HZ / 4);
}

/**
 * nvme_cmb_reset_init - get the works ready, of which remove has to cancel each
 * @dev: the controller
 *
 * Context: any.
 */
void nvme_cmb_reset_init(struct nvme_cmb_dev *dev)
{
	INIT_DELAYED_WORK(&dev->recovery_timeout, nvme_cmb_recovery_timed_out);
	INIT_DELAYED_WORK(&dev->replace, nvme_cmb_replace);
	INIT_DELAYED_WORK(&dev->ctrl.reset, nvme_cmb_reset_work);
}

static void nvme_cmb_reset_prepare(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	nvme_cmb_regions_hold(&dev->regions, NVME_CMB_HOLD_RESET);
	nvme_cmb_ctrl_disable(&dev->ctrl);
}

static void nvme_cmb_reset_done(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	nvme_cmb_restore(dev);
	nvme_cmb_regions_release(&dev->regions, NVME_CMB_HOLD_RESET);
}

static int nvme_cmb_suspend(struct device *device)
{
	struct nvme_cmb_dev *dev = dev_get_drvdata(device);

	nvme_cmb_regions_hold(&dev->regions, NVME_CMB_HOLD_SLEEP);
	nvme_cmb_ctrl_disable(&dev->ctrl);
	return 0;
}

static int nvme_cmb_resume(struct device *device)
{
	struct nvme_cmb_dev *dev = dev_get_drvdata(device);

	nvme_cmb_restore(dev);
	nvme_cmb_regions_release(&dev->regions, NVME_CMB_HOLD_SLEEP);
	return 0;
}

/*
 * An image is being restored. The PM core calls ->freeze also where an image is made, and
 * tells only notifiers which of the two it does.
 */
static bool nvme_cmb_restoring;

static int nvme_cmb_pm_notify(struct notifier_block *nb, unsigned long event,
			      void *unused)
{
	switch (event) {
	case PM_RESTORE_PREPARE:
		nvme_cmb_restoring = true;
		break;
	case PM_POST_RESTORE:
		nvme_cmb_restoring = false;
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block nvme_cmb_pm_notifier = {
	.notifier_call	= nvme_cmb_pm_notify,
};

/**
 * nvme_cmb_sleep_register - begin to know whether an image is made or restored
 *
 * Context: may sleep; module init.
 * Return: 0, or an errno.
 */
int nvme_cmb_sleep_register(void)
{
	unsigned int sleep_flags;
	int ret;

	/* In the middle of a restore, the notifier has missed its begin: wait for its end. */
	sleep_flags = lock_system_sleep();
	ret = register_pm_notifier(&nvme_cmb_pm_notifier);
	unlock_system_sleep(sleep_flags);
	return ret;
}

/**
 * nvme_cmb_sleep_unregister - undo nvme_cmb_sleep_register()
 *
 * Context: may sleep; module exit.
 */
void nvme_cmb_sleep_unregister(void)
{
	unregister_pm_notifier(&nvme_cmb_pm_notifier);
}

/*
 * An image of the system has page caches and mounted file systems in it, but not what is in
 * the controller's memory. When the image is restored the memory has lost that, or has
 * changed. So no image is made while the driver is bound.
 *
 * A restore replaces this system by one that had the driver unbound. It may fail, and then
 * this system goes on.
 */
static int nvme_cmb_freeze(struct device *device)
{
	if (nvme_cmb_restoring)
		return nvme_cmb_suspend(device);
	dev_err(device, "an image for hibernation would lack what is in the controller's memory: unbind first\n");
	return -EBUSY;
}

const struct dev_pm_ops nvme_cmb_pm_ops = {
	.suspend	= pm_sleep_ptr(nvme_cmb_suspend),
	.resume		= pm_sleep_ptr(nvme_cmb_resume),
	.freeze		= pm_sleep_ptr(nvme_cmb_freeze),
	.thaw		= pm_sleep_ptr(nvme_cmb_resume),
};

/*
 * Recovery from PCI errors (Documentation/PCI/pci-error-recovery.rst). Requests that come
 * while it lasts wait for its end. A request that was in flight when the error happened
 * ends with its data or with an error.
 */
static pci_ers_result_t nvme_cmb_error_detected(struct pci_dev *pdev,
						pci_channel_state_t state)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	/* Nobody tells the driver that an earlier recovery has failed. It ends here. */
	cancel_delayed_work_sync(&dev->recovery_timeout);
	if (state == pci_channel_io_perm_failure) {
		nvme_cmb_ctrl_cancel(&dev->ctrl);
		nvme_cmb_regions_fail(&dev->regions, true);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	if (state != pci_channel_io_normal)
		nvme_cmb_ctrl_disable(&dev->ctrl);
	nvme_cmb_regions_hold(&dev->regions, NVME_CMB_HOLD_RECOVERY);
	schedule_delayed_work(&dev->recovery_timeout, NVME_CMB_RECOVERY_SECONDS * HZ);
	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t nvme_cmb_slot_reset(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	/*
	 * Do not restore what was saved last: a reset through sysfs may have saved what the
	 * error left. And Linux 6.1 does not restore the same state twice.
	 */
	pci_load_saved_state(pdev, dev->saved);
	pci_restore_state(pdev);
	return nvme_cmb_restore(dev) ?
	       PCI_ERS_RESULT_DISCONNECT : PCI_ERS_RESULT_RECOVERED;
}

static void nvme_cmb_error_resume(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	cancel_delayed_work_sync(&dev->recovery_timeout);
	nvme_cmb_regions_release(&dev->regions, NVME_CMB_HOLD_RECOVERY);
}

const struct pci_error_handlers nvme_cmb_err_handler = {
	.error_detected	= nvme_cmb_error_detected,
	.slot_reset	= nvme_cmb_slot_reset,
	.resume		= nvme_cmb_error_resume,
	.reset_prepare	= nvme_cmb_reset_prepare,
	.reset_done	= nvme_cmb_reset_done,
};
