// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: toggle_decode DISK FUNCTION TIMES [pulse]
 *
 * Switch memory decoding of the PCI function FUNCTION off and on again, TIMES times, while
 * another process writes or discards DISK, which is on that function, and reads it. Data that
 * was written and read has to be right, and data that was discarded has to read as zeros.
 *
 * By default decoding is off for 6 to 30 ms, and the guest must have one CPU. The copying
 * process has the CPU for some tenths of a millisecond of that time, and then again when
 * decoding is on. So the controller answers before and after such a copy, but not during it.
 * With "pulse", decoding is switched on again at once. The guest must have a second CPU for
 * that, because the first one copies.
 *
 * The output is one line of NAME=NUMBER. The status is 0 if no data was wrong.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Eight times the limit for one request: 1 MiB for reads, writes and discards */
#define LENGTH	(8 << 20)

/* Only a block in each step is compared, because no lost copy is shorter than a step. */
#define BLOCK	4096
#define STEP	65536

/* The disk gets three contents in turn, the last by a discard, so that a lost write shows. */
#define DISCARD	2
#define TURNS	3

/* The buffer's content before a read */
#define NOT_READ	0xa5

/* The time for which decoding is on, without "pulse" */
#define ON_US		30000

/*
 * The time for which it is off: the switching process sleeps for less than SLEEP_US, so that
 * the other one copies. Then it keeps the CPU for SPIN_MIN_US and less than SPIN_MORE_US more.
 */
#define SLEEP_US	600
#define SPIN_MIN_US	6000
#define SPIN_MORE_US	24000

/* The time for which it is on, with "pulse": PULSE_MIN_US and less than PULSE_MORE_US more */
#define PULSE_MIN_US	3000
#define PULSE_MORE_US	20000

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		err(errno, "%s", path);
	return fd;
}

static __u16 get_command(int config)
{
	__u16 command;

	if (pread(config, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		err(errno, "command");
	return command;
}

static void set_command(int config, __u16 command)
{
	if (pwrite(config, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		err(errno, "command");
}

/* Return a random number from 0 to LIMIT - 1. */
static unsigned int below(unsigned int limit)
{
	return limit * drand48();
}

static __u64 now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* Keep the CPU, so that the other process does not copy on it. */
static void spin_us(unsigned int us)
{
	__u64 end = now_us() + us;

	while (now_us() < end)
		continue;
}

static void switch_decoders(const char *function, long times, bool pulse)
{
	const struct sched_param priority = { .sched_priority = 1 };
	char path[256];
	__u16 on;
	int config;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", function);
	config = open_or_die(path, O_RDWR);
	on = get_command(config) | PCI_COMMAND_MEMORY;
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		err(errno, "no priority");
	srand48(1);
	while (times-- > 0) {
		usleep(pulse ? PULSE_MIN_US + below(PULSE_MORE_US) : ON_US);
		set_command(config, on & ~PCI_COMMAND_MEMORY);
		if (!pulse) {
			usleep(below(SLEEP_US));
			spin_us(SPIN_MIN_US + below(SPIN_MORE_US));
		}
		set_command(config, on);
	}
}

/* Return a buffer that repeats WORD. */
static __u64 *content(__u64 word)
{
	__u64 *data = aligned_alloc(BLOCK, LENGTH);

	if (!data)
		err(errno, "aligned_alloc");
	for (size_t i = 0; i < LENGTH / sizeof(word); i++)
		data[i] = word;
	return data;
}

static bool put(int disk, int turn, const void *data)
{
	__u64 range[2] = { 0, LENGTH };

	if (turn == DISCARD)
		return !ioctl(disk, BLKDISCARD, range);
	return pwrite(disk, data, LENGTH, 0) == LENGTH;
}

/* The buffer's old content must not be taken for data that was read. */
static bool get(int disk, char *data)
{
	for (size_t at = 0; at < LENGTH; at += STEP)
		memset(data + at, NOT_READ, BLOCK);
	return pread(disk, data, LENGTH, 0) == LENGTH;
}

static bool is_right(const char *data, const void *wanted)
{
	for (size_t at = 0; at < LENGTH; at += STEP)
		if (memcmp(data + at, wanted, BLOCK))
			return false;
	return true;
}

/* Copy until process PID ends. Return how many copies are wrong. */
static unsigned int copy_until_end_of(pid_t pid, int disk)
{
	__u64 *contents[TURNS] = { content(1), content(2), content(0) };
	char *data = (char *)content(0);
	unsigned int copies = 0, failed = 0, wrong = 0;
	int status;

	for (int turn = 0; !waitpid(pid, &status, WNOHANG); turn = (turn + 1) % TURNS) {
		if (!put(disk, turn, contents[turn]) || !get(disk, data)) {
			failed++;
			continue;
		}
		copies++;
		if (!is_right(data, contents[turn]))
			wrong++;
	}
	if (status)
		errx(255, "the switching failed");
	printf("copies=%u failed=%u wrong=%u\n", copies, failed, wrong);
	return wrong;
}

int main(int argc, char **argv)
{
	bool pulse = argc == 5 && !strcmp(argv[4], "pulse");
	unsigned int wrong;
	pid_t pid;
	int disk;

	if (argc != 4 && !pulse) {
		fprintf(stderr, "usage: %s DISK FUNCTION TIMES [pulse]\n", argv[0]);
		exit(255);
	}
	disk = open_or_die(argv[1], O_RDWR | O_DIRECT);
	pid = fork();
	if (pid < 0)
		err(errno, "fork");
	if (!pid) {
		switch_decoders(argv[2], atol(argv[3]), pulse);
		exit(0);
	}
	wrong = copy_until_end_of(pid, disk);
	if (wrong)
		errx(255, "%u copies are wrong", wrong);
	return 0;
}
