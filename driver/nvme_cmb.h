/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nvme_cmb: the memory of an NVMe controller, CMB or PMR, as a disk.
 *
 * Calls go down this list only:
 *
 *	pci.c		binds to the device; resets, errors, sleep
 *	region.c	the memories of a controller, all at once
 *	lend.c		a PMR in other hands (pmem.c: nvme_cmb_pmem)
 *	disk.c		the gendisk
 *	mq.c, bio.c	its requests (CMB), its bios (PMR)
 *	transfer.c	the bytes of a request, and proof that they were moved
 *	fault.c		faults that tests ask for
 *	account.c	what requests cost, for debugfs and tracing
 *	copy.c		bytes, to and from the window
 *	window.c	a controller's memory, enabled and mapped
 *	cmb.c, pmr.c	what is particular to either
 *	ctrl.c		the controller: alive? disabled?
 *	regs.c		what the registers' values mean
 */
#ifndef NVME_CMB_H
#define NVME_CMB_H

#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/timer.h>
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
#include <linux/fault-inject.h>
#endif

#include "compat.h"
#include "regs.h"

/**
 * struct nvme_cmb_ctrl - the NVMe controller
 * @pdev: its PCI function
 * @regs: BAR 0
 * @cap: CAP, as read at probe
 * @vs: VS, as read at probe; see nvme_cmb_ctrl_alive()
 * @cfg: for nvme_cmb_ctrl_lock_cfg()
 * @cfg.holders: copies under way that keep user space from configuration space, and one more
 *	until @cfg.timer expires
 * @cfg.expired: they have kept it away for long enough
 * @cfg.timer: sets that
 * @cfg.lock: serialises those who begin to keep it away
 * @cfg.free_ns: when it was let in last, by ktime_get_ns()
 */
struct nvme_cmb_ctrl {
	struct pci_dev *pdev;
	void __iomem *regs;
	u64 cap;
	u32 vs;
	struct {
		atomic_t holders;
		bool expired;
		struct timer_list timer;
		spinlock_t lock;	/* to begin */
		u64 free_ns;
	} cfg;
};

int nvme_cmb_ctrl_map(struct nvme_cmb_ctrl *ctrl, struct pci_dev *pdev);
void nvme_cmb_ctrl_unmap(struct nvme_cmb_ctrl *ctrl);
u64 nvme_cmb_ctrl_bar_len(const struct nvme_cmb_ctrl *ctrl, unsigned int bir);
bool nvme_cmb_ctrl_answers(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_same(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_alive(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_present(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_disconnected(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_ctrl_disable(const struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_shutdown(const struct nvme_cmb_ctrl *ctrl);
bool nvme_cmb_ctrl_lock_cfg(struct nvme_cmb_ctrl *ctrl);
void nvme_cmb_ctrl_unlock_cfg(struct nvme_cmb_ctrl *ctrl, bool locked);

#define NVME_CMB_SILENCE_NS	(5 * NSEC_PER_MSEC)

/* How often to copy what took longer than that, before it is an error */
#define NVME_CMB_TRIES		1000

/**
 * nvme_cmb_is_fresh - was it only now that the controller was seen alive?
 * @seen_ns: when it was, by ktime_get_ns()
 * @now_ns: now, likewise
 *
 * A controller that answered before a copy and after it may have been silent in
 * between, if the copy was interrupted for long enough. Nothing in its registers
 * would show that; only the clock does. What is copied between two sights is good
 * if this holds from the one to the other. A silence of NVME_CMB_SILENCE_NS is never
 * missed. (jiffies would not do: in a guest they stand still while the CPU that
 * counts them is not running.)
 *
 * Return: true for less than NVME_CMB_SILENCE_NS.
 */
static inline bool nvme_cmb_is_fresh(u64 seen_ns, u64 now_ns)
{
	return now_ns - seen_ns < NVME_CMB_SILENCE_NS;
}

/*
 * For what others wait for: it is not to be preempted. On PREEMPT_RT all that others wait for
 * may be, and waking them up has to be.
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

struct nvme_cmb_window;

/**
 * struct nvme_cmb_kind - a kind of memory that controllers have
 * @name: in the names of its disks, and in the log
 * @memory: the CPU reaches it without a trap
 * @present: does the controller have it? Looks and changes nothing
 * @open: enable it, and find out where it lies; 0, or -ENODEV and a line in the log
 *	if it makes no usable window
 * @enable: enable it again, if it holds what it held; 0, -ENODATA if a reset of the
 *	controller has cleared it, or another errno
 * @disable: leave it as it was found
 * @same: do its registers read as they did?
 * @accessible: is it ready to be read and written, and as sound as it was? NULL for what
 *	always is
 * @flush: make what was written persist; 0 or -EIO. NULL for what does not persist
 *
 * All may be called where one may sleep, @same, @accessible and @flush also where one
 * may not.
 */
struct nvme_cmb_kind {
	const char *name;
	bool memory;
	bool (*present)(const struct nvme_cmb_ctrl *ctrl);
	int (*open)(struct nvme_cmb_window *win);
	int (*enable)(const struct nvme_cmb_window *win);
	void (*disable)(const struct nvme_cmb_window *win);
	bool (*same)(const struct nvme_cmb_window *win);
	bool (*accessible)(const struct nvme_cmb_window *win);
	int (*flush)(const struct nvme_cmb_window *win);
};

extern const struct nvme_cmb_kind nvme_cmb_kind_cmb;
extern const struct nvme_cmb_kind nvme_cmb_kind_pmr;

/**
 * struct nvme_cmb_window - a controller's memory as the CPU sees it
 * @ctrl: the controller that owns it
 * @kind: CMB or PMR
 * @cmbloc: CMBLOC, as read when it was opened; see nvme_cmb_window_same()
 * @cmbsz: CMBSZ, likewise
 * @pmrcap: PMRCAP, likewise
 * @pmr_health: PMRSTS.HSTS in its place, likewise; see nvme_cmb_window_intact()
 * @found_enabled: a PMR that was enabled before, and is to be left so
 * @read_only: nothing that is written would stay
 * @write_cache: what is written needs a flush to persist
 * @geo: where it lies
 * @bar: mapping of BAR @geo.bir
 * @base: its first byte in that mapping; NULL, as are @bar and both routines, if it is
 *	lent
 * @read: the routine that copies out of it
 * @write: the routine that copies into it
 * @read_ps: measured cost of a read access by @read, in picoseconds
 * @write_ps: the same of a write access by @write; 0 if the window is read-only
 * @stretch: bytes to move between two sights of the controller, and two
 *	scheduling points
 */
struct nvme_cmb_window {
	struct nvme_cmb_ctrl *ctrl;
	const struct nvme_cmb_kind *kind;
	u32 cmbloc;
	u32 cmbsz;
	u32 pmrcap;
	u32 pmr_health;
	bool found_enabled;
	bool read_only;
	bool write_cache;
	struct nvme_cmb_geometry geo;
	void __iomem *bar;
	void __iomem *base;
	const struct nvme_cmb_routine *read;
	const struct nvme_cmb_routine *write;
	unsigned int read_ps;
	unsigned int write_ps;
	unsigned int stretch;
};

int nvme_cmb_window_open(struct nvme_cmb_window *win,
			 struct nvme_cmb_ctrl *ctrl,
			 const struct nvme_cmb_kind *kind);
void nvme_cmb_window_close(struct nvme_cmb_window *win);
int nvme_cmb_window_map(struct nvme_cmb_window *win);
void nvme_cmb_window_unmap(struct nvme_cmb_window *win);
int nvme_cmb_window_flush(const struct nvme_cmb_window *win);
int nvme_cmb_window_restore(const struct nvme_cmb_window *win);
bool nvme_cmb_window_same(const struct nvme_cmb_window *win);
bool nvme_cmb_window_intact(const struct nvme_cmb_window *win);

#ifndef CONFIG_64BIT
#error "nvme_cmb is for 64-bit kernels"
#endif

/* The widest access the CPU has; a trapped one costs the same at any width. */
#define NVME_CMB_ACCESS		sizeof(u64)

/**
 * struct nvme_cmb_routine - one way of moving bytes
 * @name: what users call it
 * @width: bytes that @read and @write move in one access
 * @memory: for memory only: how wide its accesses are is nobody's promise
 * @read: out of the window
 * @write: into the window
 * @zero: zeros into the window
 *
 * The window's side of each is aligned to NVME_CMB_ACCESS, and the length is a
 * multiple of it; the other side is at any alignment.
 */
struct nvme_cmb_routine {
	const char *name;
	unsigned int width;
	bool memory;
	void (*read)(void *to, const void __iomem *from, size_t len);
	void (*write)(void __iomem *to, const void *from, size_t len);
	void (*zero)(void __iomem *to, size_t len);
};

const struct nvme_cmb_routine *nvme_cmb_copy_find(const char *name);
int nvme_cmb_copy_choose(struct nvme_cmb_window *win,
			 const struct nvme_cmb_routine *only);
size_t nvme_cmb_copy_from(const struct nvme_cmb_window *win, void *to, u64 pos,
			  size_t len);
size_t nvme_cmb_copy_to(const struct nvme_cmb_window *win, u64 pos,
			const void *from, size_t len);
size_t nvme_cmb_copy_zero(const struct nvme_cmb_window *win, u64 pos,
			  size_t len);

enum nvme_cmb_op {
	NVME_CMB_READ,
	NVME_CMB_WRITE,
	NVME_CMB_ZERO,
	NVME_CMB_FLUSH,
	NVME_CMB_OPS
};

#define NVME_CMB_LATENCIES	36	/* the last is 34 s and more */

/**
 * struct nvme_cmb_account - what the requests of a disk cost
 * @mutex: serialises switching it on and off
 * @dir: its directory in debugfs
 * @lock: serialises those who write the next two
 * @on: whether @of is kept
 * @of: by operation; read without a lock
 */
struct nvme_cmb_account {
	struct mutex mutex;	/* one switch at a time */
	struct dentry *dir;
	spinlock_t lock;	/* of what follows */
	bool on;
	struct {
		u64 requests;
		u64 bytes;
		u64 accesses;
		u64 latency[NVME_CMB_LATENCIES];
	} of[NVME_CMB_OPS];
};

DECLARE_STATIC_KEY_FALSE(nvme_cmb_accounting);

void nvme_cmb_account_init(void);
void nvme_cmb_account_exit(void);
/**
 * nvme_cmb_account_begin - a request begins to be served
 *
 * Return: the time, or 0 if nobody wants to know.
 */
static inline u64 nvme_cmb_account_begin(void)
{
	if (static_branch_unlikely(&nvme_cmb_accounting))
		return ktime_get_ns();
	return 0;
}

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
/**
 * struct nvme_cmb_fault - what is to go wrong with the requests of a disk
 * @fail: they end with an error
 * @delay: they take @delay_ms longer
 * @requeue: they go back to the block layer, which sends them again
 * @delay_ms: in milliseconds
 */
struct nvme_cmb_fault {
	struct fault_attr fail;
	struct fault_attr delay;
	struct fault_attr requeue;
	u32 delay_ms;
};

void nvme_cmb_fault_add(struct nvme_cmb_fault *fault, struct dentry *dir,
			bool requests);
bool nvme_cmb_fault_strikes(struct nvme_cmb_fault *fault, size_t len);
bool nvme_cmb_fault_requeues(struct nvme_cmb_fault *fault, struct request *req);
#else
struct nvme_cmb_fault {};

static inline void nvme_cmb_fault_add(struct nvme_cmb_fault *fault,
				      struct dentry *dir, bool requests)
{
}

static inline bool nvme_cmb_fault_strikes(struct nvme_cmb_fault *fault,
					  size_t len)
{
	return false;
}

static inline bool nvme_cmb_fault_requeues(struct nvme_cmb_fault *fault,
					   struct request *req)
{
	return false;
}
#endif

/*
 * FAILED: requests fail until the window is found intact again, which each of them
 * tries. GONE: they fail for good, for the device has left, or has lost what was in it.
 */
enum { NVME_CMB_FAILED, NVME_CMB_GONE };

/* How long to wait for a device, while whoever else waits may be a task that nobody can kill */
#define NVME_CMB_RECOVERY_SECONDS	30

/**
 * struct nvme_cmb_disk - one gendisk over one window
 * @win: the window; valid until nvme_cmb_disk_del() returns
 * @gd: its gendisk; an opener may keep it, and this struct, past the window
 * @index: the number in its name
 * @first: the controller's other disk, if that one's number is shared
 * @state: NVME_CMB_FAILED and NVME_CMB_GONE, as bits
 * @seen_ns: when the controller was last seen alive, by ktime_get_ns()
 * @gone: tells the block layer that the disk is dead, if by then the device is gone
 * @mq: for mq.c: how requests get to the window
 * @mq.tag_set: their tags
 * @mq.lock: protects the next two
 * @mq.pending: requests that wait for the window
 * @mq.busy: someone is serving, and will look at @mq.pending again
 * @mq.wq: for @mq.work, which a busy CPU must not keep waiting
 * @mq.work: serves on when a task has to let others run
 * @account: what it all cost
 * @fault: what tests want to go wrong
 */
struct nvme_cmb_disk {
	const struct nvme_cmb_window *win;
	struct gendisk *gd;
	int index;
	struct nvme_cmb_disk *first;

	unsigned long state;
	u64 seen_ns;
	struct delayed_work gone;

	struct {
		struct blk_mq_tag_set tag_set;
		spinlock_t lock;	/* of the next two */
		struct list_head pending;
		bool busy;
		struct workqueue_struct *wq;
		struct work_struct work;
	} mq;

	struct nvme_cmb_account account;
	struct nvme_cmb_fault fault;
};

void nvme_cmb_account_add(struct nvme_cmb_disk *disk);
void nvme_cmb_account_del(struct nvme_cmb_disk *disk);
void nvme_cmb_account_end(struct nvme_cmb_disk *disk, enum req_op op,
			  sector_t sector, size_t len, u64 start_ns,
			  u64 accesses);

void nvme_cmb_disk_fail(struct nvme_cmb_disk *disk, const char *why);
void nvme_cmb_disk_die(struct nvme_cmb_disk *disk, const char *why);

/**
 * struct nvme_cmb_transfer - the bytes of a request, on their way
 * @op: REQ_OP_READ, REQ_OP_WRITE, or one that leaves zeros
 * @iter: where in the request's pages
 * @pos: where in the window
 * @len: bytes left to move
 * @chunk: bytes to move next
 * @tries: how often that was copied in vain
 * @now_ns: the time, a little before, by ktime_get_ns()
 * @accesses: accesses to the window so far
 */
struct nvme_cmb_transfer {
	enum req_op op;
	struct req_iterator iter;
	u64 pos;
	size_t len;
	size_t chunk;
	unsigned int tries;
	u64 now_ns;
	u64 accesses;
};

void nvme_cmb_transfer_init(struct nvme_cmb_transfer *transfer,
			    const struct nvme_cmb_disk *disk, enum req_op op,
			    struct bio *bio, u64 pos, size_t len);
blk_status_t nvme_cmb_transfer_chunk(struct nvme_cmb_disk *disk,
				     struct nvme_cmb_transfer *transfer);
blk_status_t nvme_cmb_flush(struct nvme_cmb_disk *disk);

struct gendisk *nvme_cmb_mq_alloc_disk(struct nvme_cmb_disk *disk,
				       struct queue_limits *lim);
void nvme_cmb_mq_stop(struct nvme_cmb_disk *disk);
void nvme_cmb_mq_free(struct nvme_cmb_disk *disk);

struct gendisk *nvme_cmb_bio_alloc_disk(struct nvme_cmb_disk *disk,
					struct queue_limits *lim);
void nvme_cmb_submit_bio(struct bio *bio);

struct nvme_cmb_disk *nvme_cmb_disk_add(const struct nvme_cmb_window *win,
					struct nvme_cmb_disk *first,
					unsigned int block_size);
void nvme_cmb_disk_del(struct nvme_cmb_disk *disk);
void nvme_cmb_disk_hold(struct nvme_cmb_disk *disk);
void nvme_cmb_disk_release(struct nvme_cmb_disk *disk);

#if IS_ENABLED(CONFIG_AUXILIARY_BUS) && IS_ENABLED(CONFIG_LIBNVDIMM)
#define NVME_CMB_LENDS	1

bool nvme_cmb_lendable(const struct nvme_cmb_window *win);
struct nvme_cmb_loan *nvme_cmb_lend(const struct nvme_cmb_window *win);
void nvme_cmb_take_back(struct nvme_cmb_loan *loan);
void nvme_cmb_loan_lose(struct nvme_cmb_loan *loan);
void nvme_cmb_loan_hold(struct nvme_cmb_loan *loan);
void nvme_cmb_loan_release(struct nvme_cmb_loan *loan);
#else
#define NVME_CMB_LENDS	0

static inline bool nvme_cmb_lendable(const struct nvme_cmb_window *win)
{
	return false;
}

static inline struct nvme_cmb_loan *
nvme_cmb_lend(const struct nvme_cmb_window *win)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void nvme_cmb_take_back(struct nvme_cmb_loan *loan)
{
}

static inline void nvme_cmb_loan_lose(struct nvme_cmb_loan *loan)
{
}

static inline void nvme_cmb_loan_hold(struct nvme_cmb_loan *loan)
{
}

static inline void nvme_cmb_loan_release(struct nvme_cmb_loan *loan)
{
}
#endif

/**
 * struct nvme_cmb_options - what the user wants, by the module's parameters
 * @block_size: logical block size
 * @routine: copy routine, or NULL for the cheapest
 * @pmem: a PMR is for libnvdimm
 */
struct nvme_cmb_options {
	unsigned int block_size;
	const struct nvme_cmb_routine *routine;
	bool pmem;
};

/**
 * struct nvme_cmb_region - one memory of a controller
 * @win: the memory
 * @disk: the disk over that, or NULL
 * @loan: or else who has it instead; NULL, too, if there is no such memory
 */
struct nvme_cmb_region {
	struct nvme_cmb_window win;
	struct nvme_cmb_disk *disk;
	struct nvme_cmb_loan *loan;
};

#define NVME_CMB_KINDS	2

/*
 * Why requests wait: RESET, while someone resets the device; SLEEP, while tasks are frozen
 * and the device may be without power; RECOVERY, from a PCI error; SHUTDOWN, for good. Each
 * may come, and end, in the middle of another. Who has a loan does not wait: what is
 * stored meanwhile may get lost, but for sleep, when nobody stores.
 */
enum nvme_cmb_hold {
	NVME_CMB_HOLD_RESET,
	NVME_CMB_HOLD_SLEEP,
	NVME_CMB_HOLD_RECOVERY,
	NVME_CMB_HOLD_SHUTDOWN,
	NVME_CMB_HOLDS
};

/**
 * struct nvme_cmb_regions - all memories of a controller
 * @of: the CMB, the PMR
 * @held: a bit for each enum nvme_cmb_hold that requests wait for
 * @lost: a bit for each memory that has lost what it held, and has a dead disk until
 *	nvme_cmb_regions_replace()
 */
struct nvme_cmb_regions {
	struct nvme_cmb_region of[NVME_CMB_KINDS];
	unsigned long held;
	unsigned long lost;
};

bool nvme_cmb_regions_present(const struct nvme_cmb_ctrl *ctrl);
int nvme_cmb_regions_add(struct nvme_cmb_regions *regions,
			 struct nvme_cmb_ctrl *ctrl,
			 const struct nvme_cmb_options *options);
void nvme_cmb_regions_del(struct nvme_cmb_regions *regions);
void nvme_cmb_regions_hold(struct nvme_cmb_regions *regions,
			   enum nvme_cmb_hold why);
void nvme_cmb_regions_release(struct nvme_cmb_regions *regions,
			      enum nvme_cmb_hold why);
int nvme_cmb_regions_restore(struct nvme_cmb_regions *regions);
void nvme_cmb_regions_replace(struct nvme_cmb_regions *regions,
			      struct nvme_cmb_ctrl *ctrl,
			      const struct nvme_cmb_options *options);
void nvme_cmb_regions_fail(struct nvme_cmb_regions *regions, bool for_good);
void nvme_cmb_regions_close(struct nvme_cmb_regions *regions);

#endif
