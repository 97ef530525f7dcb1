// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: identify DEVICE ioctl|ioctl32|uring
 *
 * Send Identify to DEVICE by ioctl(2), by what 32-bit code calls, or by io_uring's passthrough. The
 * output is what came of it: the name of an error, or the status of the command and the serial
 * number of the controller.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* io_uring, as NVMe commands need it */
#define ENTRIES		1
#define SQE_SIZE	128
#define CQE_SIZE	32

/* ioctl(2) of 32-bit code */
#define IA32_IOCTL	54

#define IDENTIFY	0x06
#define CNS_CTRL	1
#define IDENTIFY_SIZE	4096
#define SERIAL		4
#define SERIAL_SIZE	20

/* Below 4 GiB. Each of these returns a status, or the negative number of an error. */
struct call {
	struct nvme_passthru_cmd cmd;
	unsigned char data[IDENTIFY_SIZE];
};

static int by_ioctl(int fd, struct call *call)
{
	int ret = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &call->cmd);

	return ret < 0 ? -errno : ret;
}

static int by_ioctl32(int fd, struct call *call)
{
#ifdef __x86_64__
	long ret;

	/* No upper bits: they are not 0 in an address that a 32-bit program has extended. */
	call->cmd.addr |= 0xffffffff00000000ULL;
	asm volatile("int $0x80" : "=a" (ret)
		     : "0" (IA32_IOCTL), "b" (fd), "c" (NVME_IOCTL_ADMIN_CMD), "d" (&call->cmd)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
#else
	errx(1, "no 32-bit code here for %d, %p", fd, (void *)call);
#endif
}

static void *map_ring(int ring, size_t size, off_t offset)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
			  offset);

	if (addr == MAP_FAILED)
		err(1, "mmap");
	return addr;
}

static void fill_sqe(struct io_uring_sqe *sqe, int fd, const struct nvme_passthru_cmd *cmd)
{
	struct nvme_uring_cmd *uring_cmd = (struct nvme_uring_cmd *)sqe->cmd;

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = NVME_URING_CMD_ADMIN;
	uring_cmd->opcode = cmd->opcode;
	uring_cmd->cdw10 = cmd->cdw10;
	uring_cmd->addr = cmd->addr;
	uring_cmd->data_len = cmd->data_len;
}

static int by_uring(int fd, struct call *call)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 | IORING_SETUP_CQE32 };
	int ring = syscall(SYS_io_uring_setup, ENTRIES, &params);
	const struct io_uring_cqe *cqe;
	unsigned char *rings;

	if (ring < 0)
		err(1, "io_uring_setup");
	/* Both rings are in one mapping since Linux 5.4. */
	rings = map_ring(ring, params.cq_off.cqes + params.cq_entries * CQE_SIZE,
			 IORING_OFF_SQ_RING);
	fill_sqe(map_ring(ring, ENTRIES * SQE_SIZE, IORING_OFF_SQES), fd, &call->cmd);
	*(unsigned int *)(rings + params.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(rings + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		err(1, "io_uring_enter");
	cqe = (const struct io_uring_cqe *)(rings + params.cq_off.cqes);
	return cqe->res;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*by)(int fd, struct call *call);
	} ways[] = { { "ioctl", by_ioctl }, { "ioctl32", by_ioctl32 }, { "uring", by_uring }, {} };
	struct call *call = mmap(NULL, sizeof(*call), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd, ret;

	if (call == MAP_FAILED)
		err(1, "mmap");
	call->cmd.opcode = IDENTIFY;
	call->cmd.cdw10 = CNS_CTRL;
	call->cmd.addr = (uintptr_t)call->data;
	call->cmd.data_len = sizeof(call->data);
	fd = argc == 3 ? open(argv[1], O_RDONLY) : -1;
	for (int i = 0; fd >= 0 && ways[i].name; i++) {
		if (strcmp(argv[2], ways[i].name))
			continue;
		ret = ways[i].by(fd, call);
		if (ret < 0)
			puts(strerrorname_np(-ret));
		else
			printf("0x%x %.*s\n", ret, SERIAL_SIZE, call->data + SERIAL);
		return 0;
	}
	errx(2, "usage: identify DEVICE ioctl|ioctl32|uring");
}
