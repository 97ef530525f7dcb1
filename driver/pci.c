// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI driver: binding to a controller, and letting it go.
 *
 * Calls go down this list only:
 *
 *	pci.c		binds to the device, and lets it go
 *	param.c		what the user wants
 *	reset.c		resets, sleep, recovery from errors
 *	control.c	the device of a controller that user space sees
 *	control_sysfs.c	its attributes
 *	region.c	the memories of a controller, all at once
 *	pmem_dev.c	a PMR for libnvdimm (pmem.c: the module nvme_cmb_pmem)
 *	disk.c		the gendisk
 *	sysfs.c		what it shows in sysfs
 *	ioctl.c		commands that user space may send, by either device
 *	pass.c		one of them, to the controller and back
 *	mq.c, bio.c	its requests (CMB), its bios (PMR)
 *	serve.c		the task that copies a CMB's requests
 *	transfer.c	the bytes of a request, and the proof that they were copied
 *	debugfs.c	what requests cost, and faults that tests ask for
 *	measure.c	which way to copy is the cheapest
 *	copy.c		bytes, to and from the window
 *	window.c	a controller's memory, enabled and mapped
 *	cmb.c, pmr.c	what is particular to either
 *	staged.c	a request's bytes, moved by the controller
 *	scratch.c	the namespace that they go through
 *	crossover.c	whether that works, and from which size on it is faster
 *	admin.c		the controller, enabled: interrupts, queues
 *	aen.c		events that the controller reports
 *	cmd.c		commands that the driver itself waits for
 *	bounce.c	memory for their bytes
 *	ctrl.c		the controller: references, state, registers
 *	cfg_lock.c	keeps user space from configuration space during a copy
 *	queue.c		a submission queue and a completion queue
 *	prp.c		where the bytes of a command lie
 *	regs.c		what the registers' values mean
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>

#include "admin.h"
#include "pci.h"

static void nvme_cmb_dev_release(struct nvme_cmb_ctrl *ctrl)
{
	kfree(container_of(ctrl, struct nvme_cmb_dev, ctrl));
}

/*
 * Only QEMU's controller. A match of the class would take other people's disks. Any other
 * controller is bound by driver_override or new_id.
 */
static const struct pci_device_id nvme_cmb_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0010) },
	{ }
};
MODULE_DEVICE_TABLE(pci, nvme_cmb_ids);

/*
 * A controller that came here only because it is QEMU's may have namespaces that someone needs.
 * Whoever has written to driver_override or new_id has asked for it.
 */
static int nvme_cmb_check_namespaces(struct nvme_cmb_dev *dev,
				     const struct pci_device_id *id)
{
	struct pci_dev *pdev = dev->ctrl.pdev;
	u32 nsid;
	int ret;

	if (id != nvme_cmb_ids || device_has_driver_override(&pdev->dev))
		return 0;
	ret = dev->ctrl.nr_io ? nvme_cmb_cmd_namespace(&dev->ctrl, &nsid) : -EIO;
	if (ret < 0) {
		pci_info(pdev, "declined: it does not tell whether it has namespaces (%d)\n", ret);
		return ret;
	}
	/* A controller that refuses to tell is of a version without a list of namespaces. */
	if (ret || !nsid)
		return 0;
	pci_info(pdev, "declined: it has namespace %u, which the stock driver serves; driver_override gives it to nvme_cmb\n",
		 nsid);
	return -ENODEV;
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
	nvme_cmb_reset_init(dev);
	nvme_cmb_ctrl_init(&dev->ctrl, pdev, nvme_cmb_dev_release);
	dev->ctrl.scratch_nsid = nvme_cmb_options.staging;
	dev->ctrl.nr_poll = nvme_cmb_options.poll_queues;
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

	/* The memories need neither queues nor commands. */
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	/* A bounce buffer keeps the place in a page that PRP entries need. */
	dma_set_min_align_mask(&pdev->dev, PAGE_SIZE - 1);
	if (!ret)
		ret = nvme_cmb_admin_setup(&dev->ctrl);
	if (ret)
		pci_warn(pdev, "takes no commands (%d)\n", ret);

	ret = nvme_cmb_check_namespaces(dev, id);
	if (ret)
		goto out_free_admin;

	ret = nvme_cmb_control_add(&dev->ctrl);
	if (ret)
		goto out_free_admin;

	ret = nvme_cmb_regions_add(&dev->regions, &dev->ctrl,
				   &nvme_cmb_options);
	if (ret)
		goto out_del_control;
	nvme_cmb_ctrl_set_state(&dev->ctrl, NVME_CMB_CTRL_LIVE);
	return 0;

out_del_control:
	nvme_cmb_control_stop(&dev->ctrl);
	nvme_cmb_control_del(&dev->ctrl);
out_free_admin:
	nvme_cmb_ctrl_disable(&dev->ctrl);
	nvme_cmb_admin_free(&dev->ctrl);
	cancel_delayed_work_sync(&dev->ctrl.reset);
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
	/* Requests wait for commands that a controller that is gone does not complete. */
	if (!nvme_cmb_ctrl_present(&dev->ctrl))
		nvme_cmb_ctrl_cancel(&dev->ctrl);
	nvme_cmb_control_stop(&dev->ctrl);
	nvme_cmb_regions_del(&dev->regions);
	nvme_cmb_control_del(&dev->ctrl);
	/* Not earlier: what was written to a disk is written back when it is deleted. */
	nvme_cmb_ctrl_set_state(&dev->ctrl, NVME_CMB_CTRL_DEAD);
	if (nvme_cmb_ctrl_answers(&dev->ctrl))
		nvme_cmb_ctrl_disable(&dev->ctrl);
	else
		nvme_cmb_ctrl_cancel(&dev->ctrl);
	nvme_cmb_admin_free(&dev->ctrl);
	cancel_delayed_work_sync(&dev->ctrl.reset);
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
	cancel_delayed_work_sync(&dev->ctrl.reset);
	nvme_cmb_regions_disable(&dev->regions);
	if (!nvme_cmb_ctrl_disable(&dev->ctrl))
		nvme_cmb_ctrl_shutdown(&dev->ctrl);
	pci_clear_master(pdev);
}

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
	int ret;

	nvme_cmb_account_init();
	ret = nvme_cmb_control_register();
	if (ret)
		goto out_account_exit;

	ret = nvme_cmb_sleep_register();
	if (ret)
		goto out_control_unregister;

	ret = pci_register_driver(&nvme_cmb_driver);
	if (ret)
		goto out_sleep_unregister;
	return 0;

out_sleep_unregister:
	nvme_cmb_sleep_unregister();
out_control_unregister:
	nvme_cmb_control_unregister();
out_account_exit:
	nvme_cmb_account_exit();
	return ret;
}
module_init(nvme_cmb_init);

static void __exit nvme_cmb_exit(void)
{
	pci_unregister_driver(&nvme_cmb_driver);
	nvme_cmb_sleep_unregister();
	nvme_cmb_control_unregister();
	nvme_cmb_account_exit();
}
module_exit(nvme_cmb_exit);

MODULE_DESCRIPTION("NVMe Controller Memory Buffer and Persistent Memory Region as block devices");
MODULE_LICENSE("GPL");
MODULE_VERSION(NVME_CMB_VERSION);
