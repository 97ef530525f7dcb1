// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attributes of the controller's device; see sysfs-class-nvme_cmb.
 */
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/nvme.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>

#include "admin.h"
#include "regs.h"

/* A controller that will be removed is dead for those who wait. */
static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char *const names[] = {
		[NVME_CMB_CTRL_NEW]		= "new",
		[NVME_CMB_CTRL_LIVE]		= "live",
		[NVME_CMB_CTRL_RESETTING]	= "resetting",
		[NVME_CMB_CTRL_DEAD]		= "dead",
	};
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(dev);
	enum nvme_cmb_ctrl_state state = READ_ONCE(ctrl->state);

	if (READ_ONCE(ctrl->control.stopping))
		state = NVME_CMB_CTRL_DEAD;
	return sysfs_emit(buf, "%s\n", names[state]);
}
static DEVICE_ATTR_RO(state);

/* There is no event when a warning ends. So it is not kept, but read each time. */
static ssize_t critical_warning_show(struct device *dev, struct device_attribute *attr,
				     char *buf)
{
	u8 warning;
	int ret;

	ret = nvme_cmb_aen_read_warning(dev_get_drvdata(dev), &warning);
	if (ret == -ESHUTDOWN)
		return -EAGAIN;
	if (ret)
		return ret < 0 ? ret : -EIO;
	return sysfs_emit(buf, "0x%02x\n", warning);
}
static DEVICE_ATTR_RO(critical_warning);

/* As read last: each read of PMRSTS is a flush. */
static ssize_t pmr_health_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", nvme_cmb_pmr_health(READ_ONCE(ctrl->pmr_health)));
}
static DEVICE_ATTR_RO(pmr_health);

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", ctrl->identity.serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t model_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", ctrl->identity.model);
}
static DEVICE_ATTR_RO(model);

static ssize_t firmware_rev_show(struct device *dev, struct device_attribute *attr,
				 char *buf)
{
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", ctrl->identity.firmware_rev);
}
static DEVICE_ATTR_RO(firmware_rev);

static struct attribute *nvme_cmb_control_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_critical_warning.attr,
	&dev_attr_pmr_health.attr,
	&dev_attr_serial.attr,
	&dev_attr_model.attr,
	&dev_attr_firmware_rev.attr,
	NULL
};

static bool nvme_cmb_control_has_pmr(const struct nvme_cmb_ctrl *ctrl)
{
	return ctrl->cap & NVME_CMB_CAP_PMRS;
}

static umode_t nvme_cmb_control_is_visible(struct kobject *kobj, struct attribute *attr,
					   int n)
{
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(kobj_to_dev(kobj));

	if (attr == &dev_attr_state.attr)
		return attr->mode;
	if (attr == &dev_attr_pmr_health.attr)
		return nvme_cmb_control_has_pmr(ctrl) ? attr->mode : 0;
	/* The others come from commands. */
	return ctrl->nr_io ? attr->mode : 0;
}

static const struct attribute_group nvme_cmb_control_group = {
	.attrs		= nvme_cmb_control_attrs,
	.is_visible	= nvme_cmb_control_is_visible,
};

/*
 * A register, or a field of it. There is one of these for all controllers.
 */
struct nvme_cmb_reg_attr {
	struct device_attribute attr;
	const struct nvme_cmb_reg *reg;
	unsigned int low, high;
	char name[20];
};

static struct nvme_cmb_reg_attr *nvme_cmb_reg_attrs;

static const struct nvme_cmb_reg_attr *nvme_cmb_to_reg(const struct attribute *attr)
{
	return container_of(attr, struct nvme_cmb_reg_attr, attr.attr);
}

static ssize_t nvme_cmb_reg_show(struct device *dev, struct device_attribute *attr,
				 char *buf)
{
	const struct nvme_cmb_reg_attr *field = nvme_cmb_to_reg(&attr->attr);
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(dev);
	void __iomem *addr = ctrl->regs + field->reg->offset;
	u64 val = field->reg->bits == 64 ? lo_hi_readq(addr) : readl(addr);

	if (!nvme_cmb_ctrl_alive(ctrl))
		return -EIO;
	val = (val & GENMASK_ULL(field->high, field->low)) >> field->low;
	return sysfs_emit(buf, "0x%llx\n", val);
}

static umode_t nvme_cmb_reg_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	const struct nvme_cmb_ctrl *ctrl = dev_get_drvdata(kobj_to_dev(kobj));

	if (nvme_cmb_to_reg(attr)->reg->offset < NVME_REG_PMRCAP ||
	    nvme_cmb_control_has_pmr(ctrl))
		return attr->mode;
	return 0;
}

static struct attribute_group nvme_cmb_reg_group = {
	.name		= "registers",
	.is_visible	= nvme_cmb_reg_is_visible,
};

const struct attribute_group *nvme_cmb_control_groups[] = {
	&nvme_cmb_control_group,
	&nvme_cmb_reg_group,
	NULL
};

static void nvme_cmb_reg_attr_init(struct nvme_cmb_reg_attr *attr,
				   const struct nvme_cmb_reg *reg,
				   const struct nvme_cmb_field *field)
{
	attr->reg = reg;
	attr->high = reg->bits - 1;
	if (field) {
		attr->low = field->low;
		attr->high = field->high;
	}
	snprintf(attr->name, sizeof(attr->name), "%s%s%s", reg->name, field ? "_" : "",
		 field ? field->name : "");
	string_lower(attr->name, attr->name);
	sysfs_attr_init(&attr->attr.attr);
	attr->attr.attr.name = attr->name;
	/* Each read of PMRSTS is a flush. */
	attr->attr.attr.mode = reg->offset == NVME_REG_PMRSTS ? 0400 : 0444;
	attr->attr.show = nvme_cmb_reg_show;
}

static unsigned int nvme_cmb_count_reg_attrs(void)
{
	unsigned int i, j, n = 0;

	for (i = 0; i < nvme_cmb_nr_registers; i++, n++)
		for (j = 0; nvme_cmb_registers[i].fields[j].name; j++)
			n++;
	return n;
}

static void nvme_cmb_fill_reg_group(struct attribute **attrs)
{
	struct nvme_cmb_reg_attr *attr = nvme_cmb_reg_attrs;
	const struct nvme_cmb_field *field;
	const struct nvme_cmb_reg *reg;
	unsigned int i;

	for (i = 0; i < nvme_cmb_nr_registers; i++) {
		reg = &nvme_cmb_registers[i];
		nvme_cmb_reg_attr_init(attr, reg, NULL);
		*attrs++ = &attr++->attr.attr;
		for (field = reg->fields; field->name; field++) {
			nvme_cmb_reg_attr_init(attr, reg, field);
			*attrs++ = &attr++->attr.attr;
		}
	}
}

/**
 * nvme_cmb_control_alloc_groups - make the attributes of all registers and their fields
 *
 * Context: may sleep; module init.
 * Return: 0 or -ENOMEM.
 */
int nvme_cmb_control_alloc_groups(void)
{
	unsigned int n = nvme_cmb_count_reg_attrs();

	nvme_cmb_reg_attrs = kcalloc(n, sizeof(*nvme_cmb_reg_attrs), GFP_KERNEL);
	if (!nvme_cmb_reg_attrs)
		return -ENOMEM;
	nvme_cmb_reg_group.attrs = kcalloc(n + 1, sizeof(struct attribute *), GFP_KERNEL);
	if (!nvme_cmb_reg_group.attrs) {
		kfree(nvme_cmb_reg_attrs);
		return -ENOMEM;
	}
	nvme_cmb_fill_reg_group(nvme_cmb_reg_group.attrs);
	return 0;
}

/**
 * nvme_cmb_control_free_groups - undo nvme_cmb_control_alloc_groups()
 *
 * Context: may sleep; module exit.
 */
void nvme_cmb_control_free_groups(void)
{
	kfree(nvme_cmb_reg_group.attrs);
	kfree(nvme_cmb_reg_attrs);
}
