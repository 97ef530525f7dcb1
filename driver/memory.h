/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A controller's memory, CMB or PMR: the window, and the bytes in it.
 */
#ifndef NVME_CMB_MEMORY_H
#define NVME_CMB_MEMORY_H

#include "ctrl.h"
#include "regs.h"

struct nvme_cmb_user;
struct nvme_cmb_window;

/**
 * struct nvme_cmb_user_ops - what a user of a memory does when something happens to that
 * @hold: stop accessing it until @release; returns when no access is under way. A user
 *	that cannot stop lets its flushes fail instead
 * @release: undo @hold
 * @note_loss: what was written since the last flush may be lost. NULL for a user that
 *	checks each access
 * @fail: it is not there; for good or until it is again. @why is for the log, or NULL if
 *	the registers are the reason and it is not for good
 * @del: access it no more, now and later. The user may be freed when this returns
 *
 * All are called where one may sleep.
 */
struct nvme_cmb_user_ops {
	void (*hold)(struct nvme_cmb_user *user);
	void (*release)(struct nvme_cmb_user *user);
	void (*note_loss)(struct nvme_cmb_user *user);
	void (*fail)(struct nvme_cmb_user *user, const char *why, bool for_good);
	void (*del)(struct nvme_cmb_user *user);
};

/**
 * struct nvme_cmb_user - who uses a memory: a disk, or libnvdimm
 * @node: in &nvme_cmb_window.users
 * @ops: what it does
 */
struct nvme_cmb_user {
	struct list_head node;
	const struct nvme_cmb_user_ops *ops;
};

/**
 * struct nvme_cmb_kind - a kind of memory that controllers have
 * @name: in the names of its disks, and in the log
 * @memory: the CPU accesses it like RAM. Otherwise an emulator traps each access
 * @present: does the controller have it? Changes nothing
 * @open: enable it, and find out where it lies; 0, or -ENODEV and a line in the log
 *	if it makes no usable window
 * @revalidate: after a reset of the controller, enable it again if it holds what it held;
 *	0, -ENODATA if it does not, or another errno
 * @disable: leave it as it was found
 * @regs_match: do its registers read as they did?
 * @ready: is it ready to be read and written, and as healthy as at probe? NULL if it
 *	always is
 * @flush: make persistent what was written; 0 or -EIO. NULL if nothing persists
 *
 * All may be called where one may sleep, @regs_match, @ready and @flush also where one
 * may not.
 */
struct nvme_cmb_kind {
	const char *name;
	bool memory;
	bool (*present)(const struct nvme_cmb_ctrl *ctrl);
	int (*open)(struct nvme_cmb_window *win);
	int (*revalidate)(const struct nvme_cmb_window *win);
	void (*disable)(const struct nvme_cmb_window *win);
	bool (*regs_match)(const struct nvme_cmb_window *win);
	bool (*ready)(const struct nvme_cmb_window *win);
	int (*flush)(const struct nvme_cmb_window *win);
};

void nvme_cmb_cmb_set_bus(const struct nvme_cmb_ctrl *ctrl, u64 bus);

extern const struct nvme_cmb_kind nvme_cmb_kind_cmb;
extern const struct nvme_cmb_kind nvme_cmb_kind_pmr;

/**
 * struct nvme_cmb_window - a controller's memory as the CPU sees it
 * @ctrl: the controller that owns it
 * @kind: CMB or PMR
 * @users: who uses it; empty if the controller has no such memory, or none that is usable
 * @cmbloc: CMBLOC, as read when it was opened; see nvme_cmb_window_regs_match()
 * @cmbsz: CMBSZ, likewise
 * @pmrcap: PMRCAP, likewise
 * @pmr_health: PMRSTS.HSTS in its place, likewise; see nvme_cmb_window_usable()
 * @was_enabled: the PMR was enabled before probe, and is left enabled
 * @read_only: writes would not persist
 * @write_cache: what is written needs a flush to persist
 * @geo: where it lies
 * @bar: mapping of BAR @geo.bir
 * @base: first byte of the window in @bar. @bar, @base, @read and @write are NULL if
 *	libnvdimm has the memory
 * @read: the routine that copies out of it
 * @write: the routine that copies into it
 * @read_ps: measured cost of a read access by @read, in picoseconds
 * @write_ps: the same of a write access by @write; 0 if the window is read-only
 * @chunk: bytes to copy between two checks of the controller
 */
struct nvme_cmb_window {
	struct nvme_cmb_ctrl *ctrl;
	const struct nvme_cmb_kind *kind;
	struct list_head users;
	u32 cmbloc;
	u32 cmbsz;
	u32 pmrcap;
	u32 pmr_health;
	bool was_enabled;
	bool read_only;
	bool write_cache;
	struct nvme_cmb_geometry geo;
	void __iomem *bar;
	void __iomem *base;
	const struct nvme_cmb_routine *read;
	const struct nvme_cmb_routine *write;
	unsigned int read_ps;
	unsigned int write_ps;
	unsigned int chunk;
};

int nvme_cmb_window_map(struct nvme_cmb_window *win);
void nvme_cmb_window_unmap(struct nvme_cmb_window *win);
int nvme_cmb_window_flush(const struct nvme_cmb_window *win);
int nvme_cmb_window_revalidate(const struct nvme_cmb_window *win);
bool nvme_cmb_window_regs_match(const struct nvme_cmb_window *win);
bool nvme_cmb_window_usable(const struct nvme_cmb_window *win);

#ifndef CONFIG_64BIT
#error "nvme_cmb is for 64-bit kernels"
#endif

/* The widest access the CPU has; a trapped one costs the same at any width. */
#define NVME_CMB_ACCESS		sizeof(u64)

/**
 * struct nvme_cmb_routine - one way of moving bytes
 * @name: what users call it
 * @width: bytes that @read and @write move in one access
 * @memory: only for windows that are mapped as memory: the width of its accesses is not
 *	defined
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

extern const struct nvme_cmb_routine nvme_cmb_routines[];
extern const unsigned int nvme_cmb_nr_routines;

const struct nvme_cmb_routine *nvme_cmb_copy_find(const char *name);
int nvme_cmb_copy_choose(struct nvme_cmb_window *win,
			 const struct nvme_cmb_routine *only);
int nvme_cmb_copy_snapshot(const struct nvme_cmb_window *win, void *buf, u64 pos,
			   size_t len);
size_t nvme_cmb_copy_from(const struct nvme_cmb_window *win, void *to, u64 pos,
			  size_t len);
size_t nvme_cmb_copy_to(const struct nvme_cmb_window *win, u64 pos,
			const void *from, size_t len);
size_t nvme_cmb_copy_zero(const struct nvme_cmb_window *win, u64 pos,
			  size_t len);

#endif
