// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Persistent Memory Region (1.4, 4.8): it keeps what was flushed. The CPU accesses it
 * without a trap.
 */
#include <linux/iopoll.h>
#include <linux/nvme.h>

#include "admin.h"
#include "memory.h"

static bool nvme_cmb_pmr_present(const struct nvme_cmb_ctrl *ctrl)
{
	return ctrl->cap & NVME_CMB_CAP_PMRS;
}

/*
 * PMRSTS.NRDY clears within PMRCAP.PMRTO after PMRCTL.EN was set (1.4, 3.1.23). In QEMU it
 * clears at once, and each read of PMRSTS costs a flush. So the first read comes without a
 * wait before it.
 */
static int nvme_cmb_pmr_enable(const struct nvme_cmb_window *win)
{
	const struct nvme_cmb_ctrl *ctrl = win->ctrl;
	u32 pmrsts;

	writel(NVME_CMB_PMRCTL_EN, ctrl->regs + NVME_REG_PMRCTL);
	return readl_poll_timeout(ctrl->regs + NVME_REG_PMRSTS, pmrsts,
				  !(pmrsts & NVME_CMB_PMRSTS_NRDY) ||
				  pmrsts == U32_MAX,
				  10 * USEC_PER_MSEC,
				  nvme_cmb_pmr_timeout_ms(win->pmrcap) *
				  USEC_PER_MSEC);
}

static void nvme_cmb_pmr_disable(const struct nvme_cmb_window *win)
{
	if (!win->was_enabled)
		writel(0, win->ctrl->regs + NVME_REG_PMRCTL);
}

static int nvme_cmb_pmr_open(struct nvme_cmb_window *win)
{
	const struct nvme_cmb_ctrl *ctrl = win->ctrl;
	const char *wrong;
	u32 pmrsts = 0;

	win->pmrcap = readl(ctrl->regs + NVME_REG_PMRCAP);
	win->was_enabled = readl(ctrl->regs + NVME_REG_PMRCTL) &
			   NVME_CMB_PMRCTL_EN;
	wrong = nvme_cmb_decode_pmr(win->pmrcap, &win->geo);
	if (!wrong)
		wrong = nvme_cmb_clamp(&win->geo,
				       nvme_cmb_ctrl_bar_len(ctrl,
							     win->geo.bir));
	if (wrong)
		goto out_decline;

	if (nvme_cmb_pmr_enable(win)) {
		wrong = "PMRSTS.NRDY stays set";
		goto out_disable;
	}
	pmrsts = nvme_cmb_aen_read_pmrsts(win->ctrl);
	win->pmr_health = pmrsts & NVME_CMB_PMRSTS_HSTS;
	wrong = nvme_cmb_decode_pmrsts(pmrsts, &win->read_only);
	if (win->read_only) {
		pci_warn(ctrl->pdev, "PMR is read-only: %s (PMRSTS 0x%08x)\n",
			 wrong, pmrsts);
		return 0;
	}
	if (wrong)
		goto out_disable;

	win->write_cache = nvme_cmb_pmr_flushes(win->pmrcap);
	if (!win->write_cache)
		pci_warn(ctrl->pdev, "PMRCAP.PMRWBM promises nothing: what is written to the PMR may not persist\n");
	return 0;

out_disable:
	nvme_cmb_pmr_disable(win);
out_decline:
	pci_info(ctrl->pdev, "PMR declined: %s (PMRCAP 0x%08x, PMRSTS 0x%08x)\n",
		 wrong, win->pmrcap, pmrsts);
	return -ENODEV;
}

static bool nvme_cmb_pmr_regs_match(const struct nvme_cmb_window *win)
{
	void __iomem *regs = win->ctrl->regs;

	return readl(regs + NVME_REG_PMRCAP) == win->pmrcap &&
	       readl(regs + NVME_REG_PMRCTL) == NVME_CMB_PMRCTL_EN;
}

/* Only HSTS tells that a reset has failed to restore what was in the PMR. */
static bool nvme_cmb_pmr_ready(const struct nvme_cmb_window *win)
{
	u32 pmrsts = nvme_cmb_aen_read_pmrsts(win->ctrl);

	return (pmrsts & (NVME_CMB_PMRSTS_NRDY | NVME_CMB_PMRSTS_HSTS)) ==
	       win->pmr_health;
}

/*
 * PMRCAP.PMRWBM says what makes earlier writes persist: a read from the PMR, or a read of
 * PMRSTS. PMRSTS is read in any case, because it tells of writes that failed. QEMU writes
 * the whole backend to its file for each such read.
 */
static int nvme_cmb_pmr_flush(const struct nvme_cmb_window *win)
{
	const struct nvme_cmb_ctrl *ctrl = win->ctrl;
	const char *wrong;
	bool read_only;
	u32 pmrsts;

	/* The stores leave the CPU before the read does. */
	wmb();
	if (!(win->pmrcap & NVME_CMB_PMRCAP_PMRWBM_PMRSTS))
		__raw_readl(win->base);
	pmrsts = nvme_cmb_aen_read_pmrsts(win->ctrl);
	wrong = nvme_cmb_decode_pmrsts(pmrsts, &read_only);
	if (!wrong)
		return 0;
	dev_err_ratelimited(&ctrl->pdev->dev, "flush of the PMR failed: %s\n",
			    wrong);
	return -EIO;
}

const struct nvme_cmb_kind nvme_cmb_kind_pmr = {
	.name		= "pmr",
	.memory		= true,
	.present	= nvme_cmb_pmr_present,
	.open		= nvme_cmb_pmr_open,
	.revalidate	= nvme_cmb_pmr_enable,
	.disable	= nvme_cmb_pmr_disable,
	.regs_match	= nvme_cmb_pmr_regs_match,
	.ready		= nvme_cmb_pmr_ready,
	.flush		= nvme_cmb_pmr_flush,
};
