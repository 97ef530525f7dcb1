// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: fuzz_ioctl SECONDS SEED PATTERN...
 *
 * Send random ioctls to the devices that match the PATTERNs, as they come and go, from several
 * processes. Commands, lengths and pointers are random, and some calls come from 32-bit code.
 * The controller or the driver may refuse each of them. But no byte may be written behind the
 * buffer that a command has named, and no call may take longer than MAX_CALL_S.
 *
 * The output is one line of NAME=NUMBER, with the number of calls by what came of them. The
 * status is 0 if nothing was wrong.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/nvme_ioctl.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES	4

/* A device is closed after so many calls, so that a new one can have its number. */
#define CALLS_PER_OPEN	16

/* The time-out of a command is shorter. Then it is aborted, and the controller reset. */
#define MAX_CALL_S	60
#define MAX_TIMEOUT_MS	2000

/* The buffer, of which a command may name less, and what is in it */
#define BUFFER		((1 << 20) + 8192)
#define FILLING		0x5a

/* How much of it before those bytes is compared */
#define COMPARED	65536

/* ioctl(2) of 32-bit code */
#define IA32_IOCTL	54

enum { DONE, STATUS, REFUSED, INVALID, CANCELLED, GONE, OTHER, WRONG, SLOW, COUNTS };

static const char * const names[COUNTS] = {
	"done", "status", "refused", "invalid", "cancelled", "gone", "other", "wrong", "slow"
};

static unsigned long *counts; /* of all processes */
static unsigned char *buffer; /* below 4 GiB, with a page behind it that is not there */

static unsigned int below(unsigned int limit)
{
	return limit * drand48();
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

static void count(int what)
{
	__atomic_fetch_add(&counts[what], 1, __ATOMIC_RELAXED);
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof((array)[0]))])

static unsigned long pick_ioctl(void)
{
	static const unsigned long known[] = {
		NVME_IOCTL_ID, NVME_IOCTL_SUBMIT_IO, NVME_IOCTL_IO_CMD, NVME_IOCTL_IO64_CMD,
		NVME_IOCTL_IO64_CMD_VEC,
	};

	/* Only numbers of NVMe: others may be block ioctls, which change the disk. */
	if (one_in(20))
		return _IOC(below(4), 'N', 0x50 + below(0xb0), below(256));
	if (one_in(10))
		return PICK(known);
	return one_in(2) ? NVME_IOCTL_ADMIN_CMD : NVME_IOCTL_ADMIN64_CMD;
}

static __u32 pick_length(void)
{
	static const __u32 lengths[] = {
		0, 1, 3, 4, 511, 512, 4095, 4096, 4097, 8192, 65536, 524288, 524292,
		1 << 20, (1 << 20) + 4, BUFFER, BUFFER + 1, 0x7fffffff, 0xffffffff,
	};

	return one_in(4) ? below(BUFFER) : PICK(lengths);
}

/* Where the command's bytes are: most often so that they end where the buffer does */
static __u64 pick_address(__u32 length)
{
	const __u64 bad[] = {
		0, 1, 4096, ~0ULL, 1ULL << 47, 0xffff888000000000ULL, (__u64)buffer | 1ULL << 40,
		(__u64)(buffer + BUFFER), (__u64)names,
	};

	if (one_in(8))
		return PICK(bad);
	return (__u64)(length <= BUFFER ? buffer + BUFFER - length : buffer);
}

static __u8 pick_opcode(void)
{
	/* what is allowed, and what is not quite */
	static const __u8 known[] = { 0x02, 0x06, 0x09, 0x0a, 0x14, 0x1a, 0x7f, 0x82, 0x86 };

	return one_in(8) ? below(256) : PICK(known);
}

static __u32 pick_dword(void)
{
	switch (below(5)) {
	case 0:
		return below(8);
	case 1:
		return below(256);
	case 2:
		return below(256) << 16 | below(32);
	case 3:
		return lrand48() << 1 | one_in(2);
	default:
		return 0;
	}
}

static void fill_cmd(struct nvme_passthru_cmd64 *cmd)
{
	static const __u32 nsids[] = { 0, 1, 2, 4, 256, 0xffffffff };

	memset(cmd, 0, sizeof(*cmd));
	cmd->opcode = pick_opcode();
	cmd->flags = one_in(50) ? below(256) : 0;
	cmd->nsid = PICK(nsids);
	cmd->data_len = pick_length();
	cmd->addr = pick_address(cmd->data_len);
	if (one_in(20)) {
		cmd->metadata_len = pick_length();
		cmd->metadata = pick_address(cmd->metadata_len);
	}
	cmd->cdw2 = one_in(4) ? pick_dword() : 0;
	cmd->cdw10 = pick_dword();
	cmd->cdw11 = pick_dword();
	cmd->cdw12 = one_in(2) ? pick_dword() : 0;
	cmd->cdw13 = one_in(4) ? pick_dword() : 0;
	cmd->cdw14 = one_in(4) ? pick_dword() : 0;
	cmd->timeout_ms = one_in(10) ? 1 + below(3) : MAX_TIMEOUT_MS;
}

/* ioctl(2), or what 32-bit code would call. ARG is below 4 GiB. */
static int call(int fd, unsigned long number, void *arg)
{
#ifdef __x86_64__
	long ret;

	if (one_in(4)) {
		asm volatile("int $0x80" : "=a" (ret)
			     : "0" (IA32_IOCTL), "b" (fd), "c" (number), "d" (arg)
			     : "memory", "r8", "r9", "r10", "r11");
		ret = (int)ret;
		if (ret < 0) {
			errno = -ret;
			return -1;
		}
		return ret;
	}
#endif
	return ioctl(fd, number, arg);
}

static int result_of(int ret)
{
	if (ret >= 0)
		return ret ? STATUS : DONE;
	switch (errno) {
	case EPERM:
	case EACCES:
	case ENOTTY:
		return REFUSED;
	case EINVAL:
	case EFAULT:
		return INVALID;
	case EINTR:
	case EAGAIN:
	case EBUSY:
	case ETIMEDOUT:
		return CANCELLED;
	case ENODEV:
	case ENXIO:
	case EIO:
		return GONE;
	default:
		return OTHER;
	}
}

/* What lies before the bytes that the command has named must be as it was. */
static bool rest_is_intact(const struct nvme_passthru_cmd64 *cmd)
{
	/* 32-bit code has no upper bits. */
	const unsigned char *begin = (unsigned char *)(__u64)(__u32)cmd->addr;

	if (begin < buffer || begin > buffer + BUFFER)
		begin = buffer + BUFFER;
	for (int i = 1; i <= COMPARED && begin - i >= buffer; i++)
		if (begin[-i] != FILLING)
			return false;
	return true;
}

/* The argument, below 4 GiB, too; sometimes at the end of what is there, or not there */
static void *pick_argument(struct nvme_passthru_cmd64 *arg)
{
	switch (below(20)) {
	case 0:
		return NULL;
	case 1:
		return buffer + BUFFER - sizeof(struct nvme_passthru_cmd);
	default:
		return arg;
	}
}

static void call_device(int fd, struct nvme_passthru_cmd64 *arg)
{
	struct nvme_passthru_cmd64 cmd;
	time_t begin = time(NULL);
	void *argument = pick_argument(arg);
	int ret;

	fill_cmd(&cmd);
	*arg = cmd;
	memset(buffer, FILLING, BUFFER);
	ret = call(fd, pick_ioctl(), argument);
	count(result_of(ret));
	if (time(NULL) - begin > MAX_CALL_S)
		count(SLOW);
	/* A result is written to the argument. */
	if (argument == arg && !rest_is_intact(&cmd))
		count(WRONG);
}

static void call_often(const char *path, struct nvme_passthru_cmd64 *arg)
{
	int fd = open(path, one_in(2) ? O_RDONLY : O_RDWR);

	if (fd < 0)
		return;
	for (int i = 0; i < CALLS_PER_OPEN; i++)
		call_device(fd, arg);
	close(fd);
}

static void fuzz(time_t end, char **patterns, int nr_patterns)
{
	/* 4 KiB for the argument, and the buffer; the page behind it stays unmapped. */
	unsigned char *low = mmap(NULL, 4096 + BUFFER + 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	glob_t found;

	if (low == MAP_FAILED)
		err(1, "mmap");
	buffer = low + 4096;
	munmap(buffer + BUFFER, 4096);
	while (time(NULL) < end) {
		if (glob(patterns[below(nr_patterns)], 0, NULL, &found)) {
			usleep(10000);
			continue;
		}
		call_often(found.gl_pathv[below(found.gl_pathc)], (void *)low);
		globfree(&found);
	}
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 0);
	bool failed = false;
	int status;

	if (argc < 4)
		errx(2, "usage: fuzz_ioctl SECONDS SEED PATTERN...");
	counts = mmap(NULL, COUNTS * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		err(2, "mmap");
	for (int i = 0; i < PROCESSES; i++) {
		if (!fork()) {
			srand48(atoi(argv[2]) + i);
			fuzz(end, argv + 3, argc - 3);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		failed |= wait(&status) < 0 || status;
	for (int i = 0; i < COUNTS; i++)
		printf("%s=%lu%c", names[i], counts[i], i < COUNTS - 1 ? ' ' : '\n');
	return failed || counts[WRONG] || counts[SLOW];
}
