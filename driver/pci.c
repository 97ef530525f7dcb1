// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI driver: binding to a controller, and letting it go.
 *
 * Calls go down this list only:
 *
 *	pci.c		binds to the device; resets, errors, sleep
 *	param.c		what the user wants
 *	region.c	the memories of a controller, all at once
 *	pmem_dev.c	a PMR for libnvdimm (pmem.c: the module nvme_cmb_pmem)
 *	disk.c		the gendisk
 *	mq.c, bio.c	its requests (CMB), its bios (PMR)
 *	transfer.c	the bytes of a request, and the proof that they were copied
 *	debugfs.c	what requests cost, and faults that tests ask for
 *	measure.c	which way to copy is the cheapest
 *	copy.c		bytes, to and from the window
 *	window.c	a controller's memory, enabled and mapped
 *	cmb.c, pmr.c	what is particular to either
 *	ctrl.c		the controller: references, state, registers
 *	cfg_lock.c	keeps user space from configuration space during a copy
 *	regs.c		what the registers' values mean
 */
#include <linux/module.h>
#include <linux/suspend.h>

#include "region.h"

/**
 * struct nvme_cmb_dev - all there is of one controller, in drvdata
 * @ctrl: the controller; its references keep this structure, too
 * @regions: its memories
 * @saved: its configuration space after probe, for a reset that clears it
 * @recovery_timeout: ends a recovery that takes too long
 * @replace: makes new disks of memories that have lost what they held
 */
struct nvme_cmb_dev {
	struct nvme_cmb_ctrl ctrl;
	struct nvme_cmb_regions regions;
	struct pci_saved_state *saved;
	struct delayed_work recovery_timeout;
	struct delayed_work replace;
};

static void nvme_cmb_dev_release(struct nvme_cmb_ctrl *ctrl)
{
	kfree(container_of(ctrl, struct nvme_cmb_dev, ctrl));
}

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
	int ret = nvme_cmb_regions_restore(&dev->regions);

	if (ret != -ESHUTDOWN && dev->regions.lost)
		queue_delayed_work(system_freezable_wq, &dev->replace, 0);
	return ret;
}

static int nvme_cmb_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct nvme_cmb_dev *dev;
	int ret;

	/* new_id and driver_override can bring anything here. */
	if (pdev->class != PCI_CLASS_STORAGE_EXPRESS) {
		pci_info(pdev, "declined: class 0x%06x is not NVMe\n",
			 pdev->class);
		return -ENODEV;
	}

	dev = kzalloc_node(sizeof(*dev), GFP_KERNEL, dev_to_node(&pdev->dev));
	if (!dev)
		return -ENOMEM;
	INIT_DELAYED_WORK(&dev->recovery_timeout, nvme_cmb_recovery_timed_out);
	INIT_DELAYED_WORK(&dev->replace, nvme_cmb_replace);
	nvme_cmb_ctrl_init(&dev->ctrl, pdev, nvme_cmb_dev_release);
	pci_set_drvdata(pdev, dev);

	ret = pci_enable_device_mem(pdev);
	if (ret)
		goto out_put_ctrl;

	ret = pci_request_region(pdev, 0, KBUILD_MODNAME);
	if (ret)
		goto out_disable_device;

	ret = nvme_cmb_ctrl_map(&dev->ctrl);
	if (ret)
		goto out_release_region;

	if (!nvme_cmb_regions_present(&dev->ctrl)) {
		pci_info(pdev, "declined: neither CMB nor PMR\n");
		ret = -ENODEV;
		goto out_unmap_ctrl;
	}

	ret = nvme_cmb_ctrl_disable(&dev->ctrl);
	if (ret)
		goto out_unmap_ctrl;

	/*
	 * Not earlier: a controller that was left enabled still has queues in memory that
	 * belongs to someone else by now.
	 */
	pci_set_master(pdev);

	pci_save_state(pdev);
	dev->saved = pci_store_saved_state(pdev);
	if (!dev->saved) {
		ret = -ENOMEM;
		goto out_clear_master;
	}

	ret = nvme_cmb_regions_add(&dev->regions, &dev->ctrl,
				   &nvme_cmb_options);
	if (ret)
		goto out_free_saved;
	nvme_cmb_ctrl_set_state(&dev->ctrl, NVME_CMB_CTRL_LIVE);
	return 0;

out_free_saved:
	kfree(dev->saved);
out_clear_master:
	pci_clear_master(pdev);
out_unmap_ctrl:
	nvme_cmb_ctrl_unmap(&dev->ctrl);
out_release_region:
	pci_release_region(pdev, 0);
out_disable_device:
	pci_disable_device(pdev);
out_put_ctrl:
	nvme_cmb_ctrl_put(&dev->ctrl);
	return ret;
}

static void nvme_cmb_remove(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	cancel_delayed_work_sync(&dev->replace);
	cancel_delayed_work_sync(&dev->recovery_timeout);
	nvme_cmb_regions_del(&dev->regions);
	/* Not earlier: what was written to a disk is written back when it is deleted. */
	nvme_cmb_ctrl_set_state(&dev->ctrl, NVME_CMB_CTRL_DEAD);
	kfree(dev->saved);
	pci_clear_master(pdev);
	nvme_cmb_ctrl_unmap(&dev->ctrl);
	pci_release_region(pdev, 0);
	pci_disable_device(pdev);
	nvme_cmb_ctrl_put(&dev->ctrl);
}

/* Requests wait for the end of the system. Nobody could use an error any more. */
static void nvme_cmb_shutdown(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	cancel_delayed_work_sync(&dev->replace);
	nvme_cmb_regions_hold(&dev->regions, NVME_CMB_HOLD_SHUTDOWN);
	nvme_cmb_regions_disable(&dev->regions);
	if (!nvme_cmb_ctrl_disable(&dev->ctrl))
		nvme_cmb_ctrl_shutdown(&dev->ctrl);
	pci_clear_master(pdev);
}

static void nvme_cmb_reset_prepare(struct pci_dev *pdev)
{
	struct nvme_cmb_dev *dev = pci_get_drvdata(pdev);

	nvme_cmb_regions_hold(&dev->regions, NVME_CMB_HOLD_RESET);
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

static const struct dev_pm_ops nvme_cmb_pm_ops = {
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
		nvme_cmb_regions_fail(&dev->regions, true);
		return PCI_ERS_RESULT_DISCONNECT;
	}
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

static const struct pci_error_handlers nvme_cmb_err_handler = {
	.error_detected	= nvme_cmb_error_detected,
	.slot_reset	= nvme_cmb_slot_reset,
	.resume		= nvme_cmb_error_resume,
	.reset_prepare	= nvme_cmb_reset_prepare,
	.reset_done	= nvme_cmb_reset_done,
};

/*
 * Only QEMU's controller. A match of the class would take other people's disks. Any other
 * controller is bound by driver_override or new_id.
 */
static const struct pci_device_id nvme_cmb_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0010) },
	{ }
};
MODULE_DEVICE_TABLE(pci, nvme_cmb_ids);

static struct pci_driver nvme_cmb_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= nvme_cmb_ids,
	.probe		= nvme_cmb_probe,
	.remove		= nvme_cmb_remove,
	.shutdown	= nvme_cmb_shutdown,
	.driver.pm	= pm_sleep_ptr(&nvme_cmb_pm_ops),
	.err_handler	= &nvme_cmb_err_handler,
};

static int __init nvme_cmb_init(void)
{
	unsigned int sleep_flags;
	int ret;

	nvme_cmb_account_init();

	/* In the middle of a restore, the notifier has missed its begin: wait for its end. */
	sleep_flags = lock_system_sleep();
	ret = register_pm_notifier(&nvme_cmb_pm_notifier);
	unlock_system_sleep(sleep_flags);
	if (ret)
		goto out_account_exit;

	ret = pci_register_driver(&nvme_cmb_driver);
	if (ret)
		goto out_unregister_pm_notifier;
	return 0;

out_unregister_pm_notifier:
	unregister_pm_notifier(&nvme_cmb_pm_notifier);
out_account_exit:
	nvme_cmb_account_exit();
	return ret;
}
module_init(nvme_cmb_init);

static void __exit nvme_cmb_exit(void)
{
	pci_unregister_driver(&nvme_cmb_driver);
	unregister_pm_notifier(&nvme_cmb_pm_notifier);
	nvme_cmb_account_exit();
}
module_exit(nvme_cmb_exit);

MODULE_DESCRIPTION("NVMe Controller Memory Buffer and Persistent Memory Region as block devices");
MODULE_LICENSE("GPL");
MODULE_VERSION(NVME_CMB_VERSION);
