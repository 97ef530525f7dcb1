/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The controller: a reference to it, its state, its registers.
 */
#ifndef NVME_CMB_CTRL_H
#define NVME_CMB_CTRL_H

#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/timer.h>

#include "compat.h"
#include "control.h"
#include "queue.h"

/**
 * enum nvme_cmb_ctrl_state - what a controller is good for
 * @NVME_CMB_CTRL_NEW: it is being probed
 * @NVME_CMB_CTRL_LIVE: nothing keeps users from its memories, though accesses may fail
 * @NVME_CMB_CTRL_RESETTING: users are held: a reset, a recovery, sleep or shutdown
 * @NVME_CMB_CTRL_DEAD: for good: it is gone, beyond recovery, or removed
 */
enum nvme_cmb_ctrl_state {
	NVME_CMB_CTRL_NEW,
	NVME_CMB_CTRL_LIVE,
	NVME_CMB_CTRL_RESETTING,
	NVME_CMB_CTRL_DEAD,
};

/**
 * struct nvme_cmb_ctrl - the NVMe controller
 * @ref: references. The driver has one from probe to remove, and each disk one until its
 *	last opener is gone
 * @release: frees the structure that this one is in
 * @state: read by nvme_cmb_ctrl_is(), changed by nvme_cmb_ctrl_set_state()
 * @index: the number in the names of its disks; -1 as long as there was none
 * @pdev: its PCI function; valid until remove, whoever has a reference
 * @regs: BAR 0; likewise
 * @cap: CAP, as read at probe
 * @vs: VS, as read at probe; see nvme_cmb_ctrl_alive()
 * @mutex: serialises enabling and disabling it, and commands that someone waits for
 * @queues: pairs of queues, the admin queues first; NULL if there are none
 * @nr_queues: how many there are in memory
 * @nr_vectors: interrupt vectors; see nvme_cmb_admin_vector()
 * @nr_irq: I/O queues in memory that interrupt
 * @nr_poll: I/O queues that the user wants to poll, behind those; there may be fewer
 * @nr_io: I/O queues that the controller knows
 * @abort: the Abort command
 * @aborting: bit 0 is set as long as the controller has it
 * @stray: commands were given up that may still write to the CMB, until it is disabled
 * @watch: while commands are under way, checks once a second that the controller lives
 * @reset: brings it back; for reset.c
 * @scratch_nsid: the namespace for scratch blocks, 0 for none
 * @page_shift: the controller's page size (CC.MPS), as a power of two
 * @max_transfer: bytes that one command may move (MDTS)
 * @has_shadows: it can look for doorbells in memory
 * @shadows: that memory: a page of the controller's for values, one for events; or NULL
 * @shadows_dma: its address for the controller
 * @control: the device that user space sees
 * @aen: asynchronous events
 * @identity: who it is; empty if it takes no commands
 * @lost: memory of admin commands that the controller may still write to
 * @pmr_health: PMRSTS.HSTS, as read last
 * @cfg: for nvme_cmb_ctrl_lock_cfg()
 * @cfg.holders: copies that use the lock, and one more for @cfg.timer
 * @cfg.expired: the time for which the lock is kept is over; no copy may join
 * @cfg.timer: ends that time
 * @cfg.lock: serialises those who take the lock
 * @cfg.free_ns: when the lock was dropped last, by ktime_get_ns()
 */
struct nvme_cmb_ctrl {
	struct kref ref;
	void (*release)(struct nvme_cmb_ctrl *ctrl);
	enum nvme_cmb_ctrl_state state;
	int index;
	struct pci_dev *pdev;
	void __iomem *regs;
	u64 cap;
	u32 vs;
	struct mutex mutex;	/* see above */
	struct nvme_cmb_queue *queues;
	unsigned int nr_queues;
	unsigned int nr_vectors;
	unsigned int nr_irq;
	unsigned int nr_poll;
	unsigned int nr_io;
	struct nvme_cmb_cmd abort;
	unsigned long aborting;
	bool stray;
	struct delayed_work watch;
	struct delayed_work reset;
	u32 scratch_nsid;
	unsigned int page_shift;
	unsigned int max_transfer;
	bool has_shadows;
	void *shadows;
	dma_addr_t shadows_dma;
	struct nvme_cmb_control control;
	struct nvme_cmb_aen aen;
	struct nvme_cmb_identity identity;
	struct llist_head lost;
	unsigned int pmr_health;
	struct {
		atomic_t holders;
		bool expired;
		struct timer_list timer;
		spinlock_t lock;	/* to begin */
		u64 free_ns;
	} cfg;
};

void nvme_cmb_ctrl_init(struct nvme_cmb_ctrl *ctrl, struct pci_dev *pdev,
			void (*release)(struct nvme_cmb_ctrl *ctrl));
void nvme_cmb_ctrl_get(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_put(struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_get_index(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_set_state(struct nvme_cmb_ctrl *ctrl,
			     enum nvme_cmb_ctrl_state state);
int nvme_cmb_ctrl_map(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_unmap(struct nvme_cmb_ctrl *ctrl);
u64 nvme_cmb_ctrl_bar_len(const struct nvme_cmb_ctrl *ctrl, unsigned int bir);
bool nvme_cmb_ctrl_answers(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_regs_match(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_present(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_disconnected(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_busy(const struct nvme_cmb_ctrl *ctrl);
u64 nvme_cmb_ctrl_timeout_us(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_disable(struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_disable_locked(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_cancel(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_shutdown(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_init_cfg(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_stop_cfg(struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_lock_cfg(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_unlock_cfg(struct nvme_cmb_ctrl *ctrl, bool locked);

/**
 * nvme_cmb_ctrl_is - is the controller in a state?
 * @ctrl: the controller
 * @state: the state
 *
 * Context: any.
 * Return: true if it is, at this moment.
 */
static inline bool nvme_cmb_ctrl_is(const struct nvme_cmb_ctrl *ctrl,
				    enum nvme_cmb_ctrl_state state)
{
	return READ_ONCE(ctrl->state) == state;
}

#define NVME_CMB_MAX_CHECK_GAP_NS	(5 * NSEC_PER_MSEC)

/* How many copies in a row may take longer than that, before it is an error */
#define NVME_CMB_TRIES		1000

/**
 * nvme_cmb_check_gap_ok - are two checks of the controller close enough to each other?
 * @checked_ns: time of the first, by ktime_get_ns()
 * @now_ns: time of the second, likewise
 *
 * A controller that answers before a copy and after it may have been away in between, if
 * the copy was interrupted for long enough. No register tells of that, but the clock does.
 * An absence of NVME_CMB_MAX_CHECK_GAP_NS or more is never missed. (jiffies would not do: in a
 * guest they stand still while the CPU that counts them does not run.)
 *
 * Return: true for less than NVME_CMB_MAX_CHECK_GAP_NS.
 */
static inline bool nvme_cmb_check_gap_ok(u64 checked_ns, u64 now_ns)
{
	return now_ns - checked_ns < NVME_CMB_MAX_CHECK_GAP_NS;
}

/*
 * Other tasks wait for the code between these two. So it is not preempted. On PREEMPT_RT it
 * is, as is the owner of any lock there: code that wakes up others has to be preemptible.
 */
static inline void nvme_cmb_preempt_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
}

static inline void nvme_cmb_preempt_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

#endif
