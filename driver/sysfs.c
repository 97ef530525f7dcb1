// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk shows in sysfs; see sysfs-block-nvme_cmb.
 */
#include <linux/delay.h>

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

static ssize_t staging_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct nvme_cmb_disk *disk = dev_to_disk(dev)->private_data;
	u32 nsid;

	mutex_lock(&disk->gd->open_mutex);
	nsid = disk->mq.staging ? disk->mq.staging->nsid : 0;
	mutex_unlock(&disk->gd->open_mutex);
	return sysfs_emit(buf, "%u\n", nsid);
}

/* "1", or "1 force": whatever namespace 1 holds may be lost; "0": no scratch any more */
static ssize_t staging_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t len)
{
	struct gendisk *gd = dev_to_disk(dev);
	struct nvme_cmb_disk *disk = gd->private_data;
	struct device *pci = &disk->ctrl->pdev->dev;
	char number[12];
	bool force;
	u32 nsid;
	int ret;

	ret = sscanf(buf, "%11s", number) == 1 ? kstrtou32(number, 10, &nsid) : -EINVAL;
	if (ret)
		return ret;
	force = sysfs_streq(skip_spaces(buf) + strlen(number), " force");
	if (!force && !sysfs_streq(skip_spaces(buf), number))
		return -EINVAL;

	/* Who removes the device has this lock, and waits for the end of this function. */
	if (!device_trylock(pci)) {
		msleep(20);
		return restart_syscall();
	}
	mutex_lock(&gd->open_mutex);
	if (disk_openers(gd)) {
		ret = -EBUSY;
	} else if (!nvme_cmb_ctrl_is(disk->ctrl, NVME_CMB_CTRL_LIVE)) {
		ret = -EAGAIN;
	} else {
		ret = nvme_cmb_mq_set_staging(disk, nsid, force);
		disk->ctrl->scratch_nsid = ret ? 0 : nsid;
	}
	mutex_unlock(&gd->open_mutex);
	device_unlock(pci);
	return ret ?: len;
}
static DEVICE_ATTR_RW(staging);

static ssize_t nvme_cmb_staged_min_show(struct device *dev, char *buf, int dir)
{
	struct nvme_cmb_disk *disk = dev_to_disk(dev)->private_data;
	unsigned int min = 0;

	mutex_lock(&disk->gd->open_mutex);
	if (disk->mq.staging)
		min = disk->mq.staging->min_len[dir];
	mutex_unlock(&disk->gd->open_mutex);
	return sysfs_emit(buf, "%u\n", min);
}

static ssize_t nvme_cmb_staged_min_store(struct device *dev, const char *buf,
					 size_t len, int dir)
{
	struct gendisk *gd = dev_to_disk(dev);
	struct nvme_cmb_disk *disk = gd->private_data;
	unsigned int min;
	int ret = kstrtouint(buf, 0, &min);

	if (ret)
		return ret;
	mutex_lock(&gd->open_mutex);
	if (disk->mq.staging)
		WRITE_ONCE(disk->mq.staging->min_len[dir], min);
	else
		ret = -ENODEV;
	mutex_unlock(&gd->open_mutex);
	return ret ?: len;
}

static ssize_t staged_read_min_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	return nvme_cmb_staged_min_show(dev, buf, READ);
}

static ssize_t staged_read_min_store(struct device *dev,
				     struct device_attribute *attr,
				     const char *buf, size_t len)
{
	return nvme_cmb_staged_min_store(dev, buf, len, READ);
}
static DEVICE_ATTR_RW(staged_read_min);

static ssize_t staged_write_min_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	return nvme_cmb_staged_min_show(dev, buf, WRITE);
}

static ssize_t staged_write_min_store(struct device *dev,
				      struct device_attribute *attr,
				      const char *buf, size_t len)
{
	return nvme_cmb_staged_min_store(dev, buf, len, WRITE);
}
static DEVICE_ATTR_RW(staged_write_min);

static struct attribute *nvme_cmb_pmr_attrs[] = {
	&dev_attr_copy_read.attr,
	&dev_attr_copy_write.attr,
	&dev_attr_read_access_ps.attr,
	&dev_attr_write_access_ps.attr,
	NULL
};

static struct attribute *nvme_cmb_cmb_attrs[] = {
	&dev_attr_copy_read.attr,
	&dev_attr_copy_write.attr,
	&dev_attr_read_access_ps.attr,
	&dev_attr_write_access_ps.attr,
	&dev_attr_staging.attr,
	&dev_attr_staged_read_min.attr,
	&dev_attr_staged_write_min.attr,
	NULL
};

static const struct attribute_group nvme_cmb_cmb_group = {
	.name	= "cmb",
	.attrs	= nvme_cmb_cmb_attrs,
};

const struct attribute_group *nvme_cmb_cmb_groups[] = {
	&nvme_cmb_cmb_group,
	NULL
};

static const struct attribute_group nvme_cmb_pmr_group = {
	.name	= "pmr",
	.attrs	= nvme_cmb_pmr_attrs,
};

const struct attribute_group *nvme_cmb_pmr_groups[] = {
	&nvme_cmb_pmr_group,
	NULL
};
