// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk shows in sysfs; see sysfs-block-nvme_cmb.
 */
#include "disk.h"

static const struct nvme_cmb_window *nvme_cmb_window_of(struct device *dev)
{
	struct nvme_cmb_disk *disk = dev_to_disk(dev)->private_data;

	return disk->win;
}

static ssize_t copy_read_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%s\n", nvme_cmb_window_of(dev)->read->name);
}
static DEVICE_ATTR_RO(copy_read);

static ssize_t copy_write_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", nvme_cmb_window_of(dev)->write->name);
}
static DEVICE_ATTR_RO(copy_write);

static ssize_t read_access_ps_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", nvme_cmb_window_of(dev)->read_ps);
}
static DEVICE_ATTR_RO(read_access_ps);

static ssize_t write_access_ps_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", nvme_cmb_window_of(dev)->write_ps);
}
static DEVICE_ATTR_RO(write_access_ps);

static struct attribute *nvme_cmb_attrs[] = {
	&dev_attr_copy_read.attr,
	&dev_attr_copy_write.attr,
	&dev_attr_read_access_ps.attr,
	&dev_attr_write_access_ps.attr,
	NULL
};

static const struct attribute_group nvme_cmb_cmb_group = {
	.name	= "cmb",
	.attrs	= nvme_cmb_attrs,
};

const struct attribute_group *nvme_cmb_cmb_groups[] = {
	&nvme_cmb_cmb_group,
	NULL
};

static const struct attribute_group nvme_cmb_pmr_group = {
	.name	= "pmr",
	.attrs	= nvme_cmb_attrs,
};

const struct attribute_group *nvme_cmb_pmr_groups[] = {
	&nvme_cmb_pmr_group,
	NULL
};
