// SPDX-License-Identifier: GPL-2.0-only
/*
 * nvme_cmb_pmem: a PMR in the hands of libnvdimm, whose own driver makes /dev/pmem0 of
 * it, with DAX. All that is left to do here is to flush.
 */
#include <linux/libnvdimm.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "pmem.h"

struct nvme_cmb_pmem {
	struct nvdimm_bus_descriptor desc;
	struct nvdimm_bus *bus;
};

static int nvme_cmb_pmem_flush(struct nd_region *region, struct bio *bio)
{
	struct nvme_cmb_pmem_dev *pmem_dev = nd_region_provider_data(region);

	return pmem_dev->flush(pmem_dev);
}

static int nvme_cmb_pmem_probe(struct auxiliary_device *adev,
			       const struct auxiliary_device_id *id)
{
	struct nvme_cmb_pmem_dev *pmem_dev = container_of(adev, struct nvme_cmb_pmem_dev,
						  adev);
	struct nd_region_desc region = {
		.res		= &pmem_dev->res,
		.provider_data	= pmem_dev,
		.flush		= nvme_cmb_pmem_flush,
		.numa_node	= memory_add_physaddr_to_nid(pmem_dev->res.start),
		.target_node	= phys_to_target_node(pmem_dev->res.start),
	};
	struct nvme_cmb_pmem *pmem;

	pmem = kzalloc(sizeof(*pmem), GFP_KERNEL);
	if (!pmem)
		return -ENOMEM;
	pmem->desc.provider_name = "nvme_cmb";
	pmem->desc.module = THIS_MODULE;
	pmem->bus = nvdimm_bus_register(&adev->dev, &pmem->desc);
	if (!pmem->bus)
		goto out_free_pmem;

	/*
	 * With struct pages, so that a file system may use DAX. ASYNC: a store that
	 * left the CPU's caches is not yet persistent, so that MAP_SYNC is no promise
	 * to make.
	 */
	set_bit(ND_REGION_PAGEMAP, &region.flags);
	set_bit(ND_REGION_ASYNC, &region.flags);
	if (!nvdimm_pmem_region_create(pmem->bus, &region))
		goto out_unregister_bus;
	auxiliary_set_drvdata(adev, pmem);
	return 0;

out_unregister_bus:
	nvdimm_bus_unregister(pmem->bus);
out_free_pmem:
	kfree(pmem);
	return -ENXIO;
}

static void nvme_cmb_pmem_remove(struct auxiliary_device *adev)
{
	struct nvme_cmb_pmem *pmem = auxiliary_get_drvdata(adev);

	nvdimm_bus_unregister(pmem->bus);
	kfree(pmem);
}

static const struct auxiliary_device_id nvme_cmb_pmem_ids[] = {
	{ .name = "nvme_cmb.pmem" },
	{ }
};
MODULE_DEVICE_TABLE(auxiliary, nvme_cmb_pmem_ids);

static struct auxiliary_driver nvme_cmb_pmem_driver = {
	.name		= "pmem",
	.id_table	= nvme_cmb_pmem_ids,
	.probe		= nvme_cmb_pmem_probe,
	.remove		= nvme_cmb_pmem_remove,
};
module_auxiliary_driver(nvme_cmb_pmem_driver);

MODULE_DESCRIPTION("NVMe Persistent Memory Region for libnvdimm");
MODULE_LICENSE("GPL");
MODULE_VERSION(NVME_CMB_VERSION);
