// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of nvme-core (linux/nvme_ioctl.h), which nvme-cli and smartctl use: which commands
 * user space may send, and who may.
 */
#include <linux/compat.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/nvme.h>
#include <linux/nvme_ioctl.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "admin.h"

/* What linux/nvme.h has no names for */
#define NVME_CMB_ADMIN_CAPACITY_MGMT	0x20
#define NVME_CMB_ADMIN_LOCKDOWN		0x24
#define NVME_CMB_PROPERTY_GET		0x04	/* type of a Fabrics command */

/*
 * How many bytes the controller may move for a command. What user space has room for does not
 * limit it.
 */
static u64 nvme_cmb_len_none(const struct nvme_passthru_cmd64 *cmd)
{
	return 0;
}

static u64 nvme_cmb_len_4k(const struct nvme_passthru_cmd64 *cmd)
{
	return SZ_4K;
}

static u64 nvme_cmb_len_log(const struct nvme_passthru_cmd64 *cmd)
{
	u32 numd = (cmd->cdw11 & 0xffff) << 16 | cmd->cdw10 >> 16;

	return (numd + 1ULL) * sizeof(__le32);
}

static u64 nvme_cmb_len_directive(const struct nvme_passthru_cmd64 *cmd)
{
	return (cmd->cdw10 + 1ULL) * sizeof(__le32);
}

static u64 nvme_cmb_len_security(const struct nvme_passthru_cmd64 *cmd)
{
	return cmd->cdw11;
}

static u64 nvme_cmb_len_lba_status(const struct nvme_passthru_cmd64 *cmd)
{
	return (cmd->cdw12 + 1ULL) * sizeof(__le32);
}

/* What is not here is refused, too: nobody knows what it does, or how many bytes it moves. */
static const struct nvme_cmb_op {
	u8 opcode;
	u64 (*len)(const struct nvme_passthru_cmd64 *cmd);	/* NULL: it is refused */
	const char *why;
} nvme_cmb_ops[] = {
	{ nvme_admin_get_log_page, nvme_cmb_len_log, "reads" },
	{ nvme_admin_identify, nvme_cmb_len_4k, "reads" },
	{ nvme_admin_set_features, nvme_cmb_len_4k, "some features are harmless" },
	{ nvme_admin_get_features, nvme_cmb_len_4k, "reads" },
	{ nvme_admin_dev_self_test, nvme_cmb_len_none, "the controller goes on meanwhile" },
	{ nvme_admin_directive_recv, nvme_cmb_len_directive, "reads" },
	{ nvme_admin_security_recv, nvme_cmb_len_security, "reads" },
	{ nvme_admin_get_lba_status, nvme_cmb_len_lba_status, "reads" },

	{ nvme_admin_delete_sq, NULL, "the queues are the driver's" },
	{ nvme_admin_create_sq, NULL, "the queues are the driver's" },
	{ nvme_admin_delete_cq, NULL, "the queues are the driver's" },
	{ nvme_admin_create_cq, NULL, "the queues are the driver's" },
	{ nvme_admin_dbbuf, NULL, "the doorbells are the driver's" },
	{ nvme_admin_abort_cmd, NULL, "it would abort commands of others" },
	{ nvme_admin_async_event, NULL, "events are the driver's, and it never ends" },
	{ nvme_admin_keep_alive, NULL, "nobody has started the timer" },
	{ nvme_admin_ns_mgmt, NULL, "a namespace may be scratch" },
	{ nvme_admin_ns_attach, NULL, "a namespace may be scratch" },
	{ nvme_admin_format_nvm, NULL, "a namespace may be scratch" },
	{ nvme_admin_sanitize_nvm, NULL, "a namespace may be scratch" },
	{ nvme_admin_download_fw, NULL, "new firmware may be another controller" },
	{ nvme_admin_activate_fw, NULL, "new firmware may be another controller" },
	{ nvme_admin_directive_send, NULL, "it changes how namespaces are written" },
	{ nvme_admin_security_send, NULL, "it may lock namespaces, or erase them" },
	{ nvme_admin_virtual_mgmt, NULL, "it takes queues and vectors away" },
	{ nvme_admin_nvme_mi_send, NULL, "it may do any of this" },
	{ nvme_admin_nvme_mi_recv, NULL, "it may do any of this" },
	{ NVME_CMB_ADMIN_CAPACITY_MGMT, NULL, "a namespace may be scratch" },
	{ NVME_CMB_ADMIN_LOCKDOWN, NULL, "it forbids commands that the driver needs" },
};

/* Features that change nothing that the driver relies on */
static const u8 nvme_cmb_features[] = {
	NVME_FEAT_ARBITRATION,	/* which queue comes first */
	NVME_FEAT_POWER_MGMT,	/* slower, but all the same */
	NVME_FEAT_TEMP_THRESH,	/* when an event is reported */
	NVME_FEAT_VOLATILE_WC,	/* scratch blocks need not persist */
	NVME_FEAT_TIMESTAMP,	/* for the controller's own logs */
	NVME_FEAT_HCTM,		/* slower, but all the same */
	NVME_FEAT_SW_PROGRESS,	/* for firmware and boot loaders */
};

static const struct nvme_cmb_op *nvme_cmb_find_op(u8 opcode)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nvme_cmb_ops); i++)
		if (nvme_cmb_ops[i].opcode == opcode)
			return &nvme_cmb_ops[i];
	return NULL;
}

static bool nvme_cmb_feature_allowed(u8 fid)
{
	return memchr(nvme_cmb_features, fid, sizeof(nvme_cmb_features));
}

static bool nvme_cmb_is_property_get(const struct nvme_passthru_cmd64 *cmd)
{
	return cmd->opcode == nvme_fabrics_command &&
	       (cmd->nsid & 0xff) == NVME_CMB_PROPERTY_GET;
}

/* As in nvme-core: what Identify tells of a namespace, or of the controller, is for everyone. */
static bool nvme_cmb_is_for_everyone(const struct nvme_passthru_cmd64 *cmd)
{
	if (cmd->opcode != nvme_admin_identify)
		return false;
	switch (cmd->cdw10 & 0xff) {
	case NVME_ID_CNS_NS:
	case NVME_ID_CNS_CTRL:
	case NVME_ID_CNS_CS_NS:
	case NVME_ID_CNS_CS_CTRL:
	case NVME_ID_CNS_NS_CS_INDEP:
		return true;
	}
	return false;
}

/* Return: 0; -EPERM for what nobody may do, or -EACCES for what the caller may not. */
static int nvme_cmb_check_cmd(struct nvme_cmb_ctrl *ctrl,
			      const struct nvme_passthru_cmd64 *cmd, bool partition)
{
	const struct nvme_cmb_op *op = nvme_cmb_find_op(cmd->opcode);
	const char *why = NULL;

	if (op && !op->len)
		why = op->why;
	else if (!op && !nvme_cmb_is_property_get(cmd))
		why = "it is unknown";
	else if (cmd->opcode == nvme_admin_set_features && !nvme_cmb_feature_allowed(cmd->cdw10))
		why = "the driver may rely on that feature";
	if (why) {
		pr_debug("controller %d: admin command 0x%02x of %s refused: %s\n",
			 ctrl->index, cmd->opcode, current->comm, why);
		return -EPERM;
	}
	if ((!partition && nvme_cmb_is_for_everyone(cmd)) || capable(CAP_SYS_ADMIN))
		return 0;
	return -EACCES;
}

/*
 * Property Get is a Fabrics command, which no controller on PCI has. nvme-cli reads registers by
 * it, where user space may not map a BAR that a driver has. A read of PMRSTS is a flush, and no
 * other register changes when it is read.
 */
static int nvme_cmb_property_get(struct nvme_cmb_ctrl *ctrl,
				 const struct nvme_passthru_cmd64 *cmd, u64 *result)
{
	u32 offset = cmd->cdw11, size = cmd->cdw10 & 7 ? 8 : 4;
	void __iomem *addr = ctrl->regs + offset;

	if (offset % size || offset > NVME_REG_DBS - size)
		return NVME_SC_INVALID_FIELD;
	*result = size == 8 ? lo_hi_readq(addr) : readl(addr);
	return nvme_cmb_ctrl_alive(ctrl) ? 0 : -EIO;
}

static int nvme_cmb_run_cmd(struct nvme_cmb_ctrl *ctrl,
			    const struct nvme_passthru_cmd64 *cmd, void *data, u64 *result)
{
	if (nvme_cmb_is_property_get(cmd))
		return nvme_cmb_property_get(ctrl, cmd, result);
	return nvme_cmb_pass(ctrl, cmd, data, nvme_cmb_find_op(cmd->opcode)->len(cmd), result);
}

/*
 * The PCI function and its registers are there between enter and exit. A removal waits for the
 * exit. So nothing between them waits for user space: not for its memory, nor for a slot.
 */
static int nvme_cmb_enter_and_run(struct nvme_cmb_ctrl *ctrl,
				  const struct nvme_passthru_cmd64 *cmd, void *data,
				  u64 *result)
{
	struct nvme_cmb_control *control = &ctrl->control;
	int ret;

	if (down_killable(&control->slots))
		return -EINTR;
	ret = nvme_cmb_control_enter(control);
	if (!ret) {
		ret = nvme_cmb_run_cmd(ctrl, cmd, data, result);
		nvme_cmb_control_exit(control);
	}
	up(&control->slots);
	return ret;
}

/* As nvme-core: a 32-bit kernel would not see the upper bits. */
static void __user *nvme_cmb_user_ptr(u64 addr)
{
	if (in_compat_syscall())
		addr = (compat_uptr_t)addr;
	return (void __user *)(uintptr_t)addr;
}

/* Return: memory for the bytes of a command, NULL if it has none, or an ERR_PTR(). */
static void *nvme_cmb_get_data(const struct nvme_passthru_cmd64 *cmd)
{
	void __user *addr = nvme_cmb_user_ptr(cmd->addr);
	void *data;

	if (!addr || !cmd->data_len)
		return NULL;
	if (cmd->data_len > NVME_CMB_PASS_MAX_LEN || (cmd->metadata && cmd->metadata_len))
		return ERR_PTR(-EINVAL);
	data = kvzalloc(cmd->data_len, GFP_KERNEL_ACCOUNT);
	if (!data)
		return ERR_PTR(-ENOMEM);
	if (cmd->opcode & 1 && copy_from_user(data, addr, cmd->data_len)) {
		kvfree(data);
		return ERR_PTR(-EFAULT);
	}
	return data;
}

static int nvme_cmb_user_cmd(struct nvme_cmb_ctrl *ctrl,
			     const struct nvme_passthru_cmd64 *cmd, u64 *result)
{
	void *data = nvme_cmb_get_data(cmd);
	int ret;

	if (IS_ERR(data))
		return PTR_ERR(data);
	ret = nvme_cmb_enter_and_run(ctrl, cmd, data, result);
	if (!ret && data && cmd->opcode & 2 &&
	    copy_to_user(nvme_cmb_user_ptr(cmd->addr), data, cmd->data_len))
		ret = -EFAULT;
	kvfree(data);
	return ret;
}

/* Both structures begin alike. The second one has a longer result behind that. */
static int nvme_cmb_admin_ioctl(struct nvme_cmb_ctrl *ctrl, void __user *arg, bool is_64,
				bool partition)
{
	struct nvme_passthru_cmd __user *ucmd = arg;
	struct nvme_passthru_cmd64 __user *ucmd64 = arg;
	struct nvme_passthru_cmd64 cmd = {};
	u64 result = 0;
	int ret;

	BUILD_BUG_ON(offsetof(struct nvme_passthru_cmd, timeout_ms) !=
		     offsetof(struct nvme_passthru_cmd64, timeout_ms));
	if (copy_from_user(&cmd, arg, is_64 ? sizeof(*ucmd64) : sizeof(*ucmd)))
		return -EFAULT;
	if (cmd.flags)
		return -EINVAL;
	ret = nvme_cmb_check_cmd(ctrl, &cmd, partition);
	if (!ret)
		ret = nvme_cmb_user_cmd(ctrl, &cmd, &result);
	if (ret < 0)
		return ret;
	if (is_64 ? put_user(result, &ucmd64->result) : put_user(result, &ucmd->result))
		return -EFAULT;
	return ret;
}

/**
 * nvme_cmb_ioctl - an ioctl of the controller's device, or of one of its disks
 * @ctrl: the controller, to which the caller has a reference
 * @cmd: which one
 * @arg: its argument
 * @partition: it was asked of a partition, and so is for those only who may do anything
 *
 * None of the disks is a namespace: NVME_IOCTL_ID is unknown, as it is to nvme-core's device of
 * a controller.
 *
 * Context: may sleep, for as long as the command may take.
 * Return: the status of the command, or an errno: -EPERM for a command that nobody may send,
 * -EACCES, -EFAULT, -EINVAL, -ENOMEM; -EAGAIN if the controller takes no commands now; -EINTR if
 * it was reset meanwhile; -ETIMEDOUT if it had to be reset because of the command; -ENODEV if it
 * is gone; -EOPNOTSUPP if its queues are too small; -ENOTTY.
 */
int nvme_cmb_ioctl(struct nvme_cmb_ctrl *ctrl, unsigned int cmd, void __user *arg,
		   bool partition)
{
	switch (cmd) {
	case NVME_IOCTL_ADMIN_CMD:
		return nvme_cmb_admin_ioctl(ctrl, arg, false, partition);
	case NVME_IOCTL_ADMIN64_CMD:
		return nvme_cmb_admin_ioctl(ctrl, arg, true, partition);
	case NVME_IOCTL_SUBMIT_IO:
	case NVME_IOCTL_IO_CMD:
	case NVME_IOCTL_IO64_CMD:
	case NVME_IOCTL_IO64_CMD_VEC:
		/* The only namespace that anybody could mean is scratch. */
		return -EPERM;
	default:
		return -ENOTTY;
	}
}
