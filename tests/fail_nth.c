// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: fail_nth bind|unbind FUNCTION
 *
 * Bind or unbind the controller while its first allocation fails, then while the second one
 * fails, and so on until all have failed once. After each attempt the controller has to be
 * unbound without a trace, or bound with a disk or a line in the log for each memory. If a
 * memory has no disk, it has to have one when the controller is bound once more. One process
 * does all of it, because the kernel counts the allocations of a process. The output is one
 * line of NAME=NUMBER.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRIVER	"/sys/bus/pci/drivers/nvme_cmb"
#define BLOCK	4096

#define MEMORIES	2

static const char * const memories[MEMORIES] = { "cmb", "pmr" };
static bool is_left_out[MEMORIES];	/* the log of the last action says so */
static bool has_memory[MEMORIES];	/* the controller has a disk of it */

static const char *function;
static bool is_bind;
static unsigned int failed, unbound, left_out, nodeless;

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		err(errno, "%s", path);
	return fd;
}

/* Write TEXT to the file at PATH. */
static void put(const char *path, const char *text)
{
	int fd = open_or_die(path, O_WRONLY);

	if (write(fd, text, strlen(text)) < 0)
		err(errno, "%s", path);
	close(fd);
}

static void bind_it(void)
{
	put(DRIVER "/bind", function);
}

static void unbind_it(void)
{
	put(DRIVER "/unbind", function);
}

static bool is_bound(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DRIVER "/%s", function);
	return !access(path, F_OK);
}

/* Write to the kernel's log which allocation will fail. */
static void mark_log(unsigned int n)
{
	char mark[64];

	snprintf(mark, sizeof(mark), "fail-nth: %s, %u", is_bind ? "bind" : "unbind", n);
	put("/dev/kmsg", mark);
}

/*
 * Read which memories are left out, from what the kernel has logged since LOG was opened. Such
 * a line ends with the name of the error, or with its number if the kernel has no names.
 */
static void read_log(int log)
{
	char record[8192], words[64];
	ssize_t length;

	memset(is_left_out, 0, sizeof(is_left_out));
	while ((length = read(log, record, sizeof(record) - 1)) > 0) {
		record[length] = '\0';
		for (unsigned int i = 0; i < MEMORIES; i++) {
			snprintf(words, sizeof(words), " %s left out: -", memories[i]);
			if (strstr(record, words))
				is_left_out[i] = true;
		}
	}
}

/*
 * Bind or unbind while allocation N fails, and set ERROR to the result. Return whether there
 * were N allocations. There must be no other system call that allocates between the writes.
 */
static bool act_without(unsigned int n, int *error)
{
	int fail_nth = open_or_die("/proc/self/fail-nth", O_RDWR);
	int action = open_or_die(is_bind ? DRIVER "/bind" : DRIVER "/unbind", O_WRONLY);
	size_t length = strlen(function);
	char number[16], left[16] = "";
	int log;

	mark_log(n);
	log = open_or_die("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	lseek(log, 0, SEEK_END);
	snprintf(number, sizeof(number), "%u", n);
	if (write(fail_nth, number, strlen(number)) < 0)
		err(errno, "fail-nth");
	*error = write(action, function, length) < 0 ? errno : 0;
	if (pread(fail_nth, left, sizeof(left) - 1, 0) < 0)
		err(errno, "fail-nth");
	write(fail_nth, "0", 1);
	read_log(log);
	close(log);
	close(action);
	close(fail_nth);
	return atoi(left) == 0;
}

static void complain(const char *left)
{
	warnx("left after an unbind: %s", left);
}

static bool is_in_iomem(void)
{
	FILE *iomem = fopen("/proc/iomem", "r");
	char line[256];
	bool found = false;

	if (!iomem)
		err(errno, "/proc/iomem");
	while (fgets(line, sizeof(line), iomem)) {
		if (strstr(line, "nvme_cmb")) {
			line[strcspn(line, "\n")] = '\0';
			complain(line);
			found = true;
		}
	}
	fclose(iomem);
	return found;
}

static void check_unbound(void)
{
	bool found = is_in_iomem();
	glob_t left;

	glob("/sys/block/nvme_*", 0, NULL, &left);
	glob("/sys/kernel/debug/nvme_cmb/nvme_*", GLOB_APPEND, NULL, &left);
	for (size_t i = 0; i < left.gl_pathc; i++)
		complain(left.gl_pathv[i]);
	if (found || left.gl_pathc)
		exit(255);
	globfree(&left);
}

/* The size of a disk in /sys is in units of 512 bytes, whatever its blocks are. */
static off_t size_of(const char *name)
{
	char path[PATH_MAX], size[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/size", name);
	fd = open_or_die(path, O_RDONLY);
	if (read(fd, size, sizeof(size) - 1) < 0)
		err(errno, "%s", path);
	close(fd);
	return 512 * atoll(size);
}

/* Write a block and read it. The last close() empties the page cache in between. */
static void holds_block(const char *disk, off_t at)
{
	char written[BLOCK], got[BLOCK];
	int fd = open_or_die(disk, O_RDWR);

	if (getrandom(written, sizeof(written), 0) != sizeof(written))
		err(errno, "getrandom");
	if (pwrite(fd, written, sizeof(written), at) != sizeof(written) || fsync(fd) < 0)
		err(errno, "%s", disk);
	close(fd);
	fd = open_or_die(disk, O_RDONLY);
	if (pread(fd, got, sizeof(got), at) != sizeof(got) || memcmp(got, written, sizeof(got)))
		errx(255, "%s holds other data than was written", disk);
	close(fd);
}

/* Write and read the first block and the last. */
static void holds_data(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/%s", name);
	holds_block(path, 0);
	holds_block(path, size_of(name) - BLOCK);
}

static bool has_node(const char *name)
{
	char path[PATH_MAX];
	struct stat node;

	snprintf(path, sizeof(path), "/dev/%s", name);
	return !stat(path, &node) && S_ISBLK(node.st_mode);
}

/* Set NAME to the name of the controller's disk of MEMORY. Return whether it has one. */
static bool find_disk(const char *memory, char *name, size_t size)
{
	char pattern[PATH_MAX];
	glob_t disks;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/nvme_cmb/*/nvme_%s[0-9]*",
		 function, memory);
	if (glob(pattern, 0, NULL, &disks))
		return false;
	snprintf(name, size, "%s", basename(disks.gl_pathv[0]));
	globfree(&disks);
	return true;
}

/* If an allocation failed, there may be no node in /dev. */
static void disk_works(const char *name, bool one_failed)
{
	if (one_failed && !has_node(name))
		nodeless++;
	else
		holds_data(name);
}

/* Check that all disks work. If an allocation failed, a memory may be left out. */
static void works(bool one_failed)
{
	char name[NAME_MAX + 1];
	bool found = false;

	for (unsigned int i = 0; i < MEMORIES; i++) {
		if (!has_memory[i])
			continue;
		if (find_disk(memories[i], name, sizeof(name))) {
			disk_works(name, one_failed);
			found = true;
			continue;
		}
		if (!one_failed)
			errx(255, "there is no disk of %s", memories[i]);
		if (!is_left_out[i])
			errx(255, "%s has no disk, and no line in the log", memories[i]);
		left_out++;
	}
	if (!found)
		errx(255, "there is no disk");
}

/* Check the state after the action: no trace if it is unbound, or else disks that work. */
static void check(unsigned int n, bool one_failed, int error)
{
	bool bound = is_bound();

	if (!one_failed && bound != is_bind)
		errx(255, "%s did not succeed", is_bind ? "bind" : "unbind");
	if (bound) {
		works(one_failed);
		return;
	}
	check_unbound();
	if (one_failed)
		unbound++;
	/*
	 * Linux does not report all of these failures as ENOMEM. If it cannot allocate a region,
	 * claiming it fails with EBUSY. Adding a disk without a name fails with EINVAL.
	 */
	if (is_bind && error != ENOMEM && error != EBUSY && error != EINVAL) {
		errno = error;
		err(255, "without allocation %u", n);
	}
}

static void find_memories(void)
{
	char name[NAME_MAX + 1];

	bind_it();
	for (unsigned int i = 0; i < MEMORIES; i++)
		has_memory[i] = find_disk(memories[i], name, sizeof(name));
	unbind_it();
}

/* Return false if the action makes fewer than N allocations. */
static bool try(unsigned int n)
{
	unsigned int missing = left_out + nodeless;
	bool one_failed, whole;
	int error;

	if (!is_bind)
		bind_it();
	one_failed = act_without(n, &error);
	check(n, one_failed, error);
	whole = is_bound() && missing == left_out + nodeless;
	if (is_bound())
		unbind_it();
	if (!one_failed)
		return false;
	failed++;
	if (whole)
		return true;
	bind_it();
	works(false);
	unbind_it();
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 3 || (strcmp(argv[1], "bind") && strcmp(argv[1], "unbind"))) {
		fprintf(stderr, "usage: fail_nth bind|unbind FUNCTION\n");
		exit(255);
	}
	is_bind = !strcmp(argv[1], "bind");
	function = argv[2];
	find_memories();
	for (unsigned int n = 1; try(n); n++)
		continue;
	printf("failed=%u left_out=%u nodeless=%u unbound=%u\n",
	       failed, left_out, nodeless, unbound);
	return 0;
}
