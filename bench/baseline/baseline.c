// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first-version CMB ramdisk: what a beginner writes in an afternoon, kept
 * to measure nvme_cmb against. Bio-based, memcpy_toio() and memcpy_fromio(), no
 * look at the controller's state, no check that it lives. Do not use it for
 * anything else; it binds by driver_override only.
 */
#include <linux/blkdev.h>
#include <linux/io-64-nonatomic-hi-lo.h>
#include <linux/module.h>
#include <linux/nvme.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#undef blk_alloc_disk
#define blk_alloc_disk(lim, node)					\
({									\
	static struct lock_class_key __key;				\
									\
	__blk_alloc_disk(node, &__key) ?: ERR_PTR(-ENOMEM);		\
})
#endif

struct cmb_baseline {
	void __iomem *regs;
	void __iomem *cmb;
	struct gendisk *disk;
};

static void cmb_baseline_submit_bio(struct bio *bio)
{
	struct cmb_baseline *dev = bio->bi_bdev->bd_disk->private_data;
	loff_t pos = bio->bi_iter.bi_sector << SECTOR_SHIFT;
	struct bvec_iter iter;
	struct bio_vec bvec;

	bio_for_each_segment(bvec, bio, iter) {
		void *buf = bvec_kmap_local(&bvec);

		if (bio_data_dir(bio) == WRITE)
			memcpy_toio(dev->cmb + pos, buf, bvec.bv_len);
		else
			memcpy_fromio(buf, dev->cmb + pos, bvec.bv_len);
		kunmap_local(buf);
		pos += bvec.bv_len;
	}
	bio_endio(bio);
}

static const struct block_device_operations cmb_baseline_fops = {
	.owner		= THIS_MODULE,
	.submit_bio	= cmb_baseline_submit_bio,
};

static int cmb_baseline_probe(struct pci_dev *pdev,
			      const struct pci_device_id *id)
{
	struct cmb_baseline *dev;
	u32 cmbsz, bir;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	pci_set_drvdata(pdev, dev);

	ret = pci_enable_device_mem(pdev);
	if (ret)
		goto out_free_dev;
	ret = pci_request_mem_regions(pdev, KBUILD_MODNAME);
	if (ret)
		goto out_disable_device;

	ret = -ENOMEM;
	dev->regs = pci_ioremap_bar(pdev, 0);
	if (!dev->regs)
		goto out_release_regions;

	hi_lo_writeq(NVME_CMBMSC_CRE, dev->regs + NVME_REG_CMBMSC);
	cmbsz = readl(dev->regs + NVME_REG_CMBSZ);
	bir = NVME_CMB_BIR(readl(dev->regs + NVME_REG_CMBLOC));
	if (!cmbsz) {
		ret = -ENODEV;
		goto out_unmap_regs;
	}
	dev->cmb = pci_ioremap_bar(pdev, bir);
	if (!dev->cmb)
		goto out_unmap_regs;

	dev->disk = blk_alloc_disk(NULL, NUMA_NO_NODE);
	if (IS_ERR(dev->disk)) {
		ret = PTR_ERR(dev->disk);
		goto out_unmap_cmb;
	}
	dev->disk->fops = &cmb_baseline_fops;
	dev->disk->private_data = dev;
	strscpy(dev->disk->disk_name, "cmb_baseline0", DISK_NAME_LEN);
	set_capacity(dev->disk, pci_resource_len(pdev, bir) >> SECTOR_SHIFT);
	ret = device_add_disk(&pdev->dev, dev->disk, NULL);
	if (ret)
		goto out_put_disk;
	return 0;

out_put_disk:
	put_disk(dev->disk);
out_unmap_cmb:
	iounmap(dev->cmb);
out_unmap_regs:
	iounmap(dev->regs);
out_release_regions:
	pci_release_mem_regions(pdev);
out_disable_device:
	pci_disable_device(pdev);
out_free_dev:
	kfree(dev);
	return ret;
}

static void cmb_baseline_remove(struct pci_dev *pdev)
{
	struct cmb_baseline *dev = pci_get_drvdata(pdev);

	del_gendisk(dev->disk);
	put_disk(dev->disk);
	iounmap(dev->cmb);
	hi_lo_writeq(0, dev->regs + NVME_REG_CMBMSC);
	iounmap(dev->regs);
	pci_release_mem_regions(pdev);
	pci_disable_device(pdev);
	kfree(dev);
}

static struct pci_driver cmb_baseline_driver = {
	.name		= KBUILD_MODNAME,
	.probe		= cmb_baseline_probe,
	.remove		= cmb_baseline_remove,
};
module_pci_driver(cmb_baseline_driver);

MODULE_DESCRIPTION("first-version CMB ramdisk, to measure against");
MODULE_LICENSE("GPL");
