/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nvme_cmb

#if !defined(NVME_CMB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NVME_CMB_TRACE_H

#include <linux/blkdev.h>
#include <linux/tracepoint.h>

#define NVME_CMB_PATH_LEN	12

int nvme_cmb_trace_reg(void);
void nvme_cmb_trace_unreg(void);

/* A request has been served, for good or ill: block:block_rq_complete tells which. */
TRACE_EVENT_FN(nvme_cmb_transfer,
	TP_PROTO(struct gendisk *gd, enum nvme_cmb_op op, u64 pos, u64 len,
		 u64 accesses, u64 ns, const char *path),
	TP_ARGS(gd, op, pos, len, accesses, ns, path),

	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(unsigned int, op)
		__field(u64, pos)
		__field(u64, len)
		__field(u64, accesses)
		__field(u64, ns)
		__array(char, path, NVME_CMB_PATH_LEN)
	),

	TP_fast_assign(
		__entry->dev = disk_devt(gd);
		__entry->op = op;
		__entry->pos = pos;
		__entry->len = len;
		__entry->accesses = accesses;
		__entry->ns = ns;
		strscpy(__entry->path, path, NVME_CMB_PATH_LEN);
	),

	TP_printk("%d,%d %s pos=%llu len=%llu accesses=%llu ns=%llu path=%s",
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  __print_symbolic(__entry->op,
				   { NVME_CMB_READ, "read" },
				   { NVME_CMB_WRITE, "write" },
				   { NVME_CMB_ZERO, "zero" },
				   { NVME_CMB_FLUSH, "flush" }),
		  __entry->pos, __entry->len, __entry->accesses, __entry->ns,
		  __entry->path),

	nvme_cmb_trace_reg, nvme_cmb_trace_unreg
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
