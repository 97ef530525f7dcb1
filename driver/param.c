// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user wants: the module's parameters.
 */
#include <linux/module.h>

#include "region.h"

struct nvme_cmb_options nvme_cmb_options = {
	.block_size = 512,
};

static int nvme_cmb_set_block_size(const char *val,
				   const struct kernel_param *kp)
{
	unsigned int size;
	int ret = kstrtouint(val, 0, &size);

	if (ret)
		return ret;
	if (size != 512 && size != 4096)
		return -EINVAL;
	*(unsigned int *)kp->arg = size;
	return 0;
}

static const struct kernel_param_ops nvme_cmb_block_size_ops = {
	.set = nvme_cmb_set_block_size,
	.get = param_get_uint,
};

module_param_cb(block_size, &nvme_cmb_block_size_ops,
		&nvme_cmb_options.block_size, 0444);
MODULE_PARM_DESC(block_size,
		 "logical block size in bytes: 512 or 4096 (default 512)");

static int nvme_cmb_set_copy(const char *val, const struct kernel_param *kp)
{
	const struct nvme_cmb_routine *routine = NULL;

	if (!sysfs_streq(val, "auto")) {
		routine = nvme_cmb_copy_find(val);
		if (!routine)
			return -EINVAL;
	}
	nvme_cmb_options.routine = routine;
	return 0;
}

static int nvme_cmb_get_copy(char *buffer, const struct kernel_param *kp)
{
	const struct nvme_cmb_routine *routine = nvme_cmb_options.routine;

	return sysfs_emit(buffer, "%s\n", routine ? routine->name : "auto");
}

static const struct kernel_param_ops nvme_cmb_copy_ops = {
	.set = nvme_cmb_set_copy,
	.get = nvme_cmb_get_copy,
};

module_param_cb(copy, &nvme_cmb_copy_ops, NULL, 0444);
MODULE_PARM_DESC(copy,
		 "copy routine: loop, unrolled, movsq (x86-64 only), memcpy_io, memcpy (PMR only), or auto, which measures them (default auto)");

static int nvme_cmb_set_pmem(const char *val, const struct kernel_param *kp)
{
	if (!NVME_CMB_HAVE_PMEM)
		return -EOPNOTSUPP;
	return param_set_bool(val, kp);
}

static const struct kernel_param_ops nvme_cmb_pmem_ops = {
	.flags	= KERNEL_PARAM_OPS_FL_NOARG,
	.set	= nvme_cmb_set_pmem,
	.get	= param_get_bool,
};

module_param_cb(pmem, &nvme_cmb_pmem_ops, &nvme_cmb_options.pmem, 0444);
MODULE_PARM_DESC(pmem,
		 "give the PMR to libnvdimm, for /dev/pmem with DAX, instead of making a disk of it (default no)");

module_param_named(poll_queues, nvme_cmb_options.poll_queues, uint, 0444);
MODULE_PARM_DESC(poll_queues,
		 "I/O queues of each controller that polled requests use for staged copies (default 0)");

module_param_named(staging, nvme_cmb_options.staging, uint, 0444);
MODULE_PARM_DESC(staging,
		 "nsid of a namespace for scratch blocks, by which the controller moves large requests to and from a CMB; it has to hold zeros (default 0: none)");
