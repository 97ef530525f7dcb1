// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: wait_event SECONDS ATTRIBUTE...
 *
 * Wait until one of these files in sysfs is reported as changed, for SECONDS at most. The files
 * that one waits for are the mask. For example
 *
 *	cd /sys/class/nvme_cmb/nvme_cmb_ctrl0
 *	wait_event 60 state critical_warning pmr_health
 *
 * The output is a line "ready" as soon as no event can be missed any more, and then a line
 * NAME=VALUE for each file that was reported. The status is 0 then, 1 if nothing has happened in
 * time, 2 if the controller was removed, and 3 after an error.
 *
 * An event between read(2) and poll(2) is not missed: poll(2) returns at once if there was one
 * since the last read of that file.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES	16

enum { CHANGED, TIMED_OUT, REMOVED, FAILED };

/*
 * Read the value at PATH from its begin, without the line's end. Return false if the file is
 * gone. While a controller is reset, a value that takes a command cannot be read.
 */
static bool read_value(int fd, const char *path, char *value, size_t size)
{
	ssize_t length = pread(fd, value, size - 1, 0);

	if (length < 0 && errno == ENODEV)
		return false;
	if (length < 0 && errno != EAGAIN && errno != EIO)
		err(FAILED, "%s", path);
	value[length < 0 ? 0 : length] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return true;
}

/* Print the files that were reported, and exit. */
static void report(const struct pollfd *polls, char **paths, int count)
{
	bool removed = false;
	char value[64];

	for (int i = 0; i < count; i++) {
		if (!(polls[i].revents & POLLPRI))
			continue;
		if (!read_value(polls[i].fd, paths[i], value, sizeof(value))) {
			removed = true;
			continue;
		}
		printf("%s=%s\n", paths[i], value);
		/* That is what state says shortly before it is gone. */
		removed |= !strcmp(value, "dead");
	}
	exit(removed ? REMOVED : CHANGED);
}

int main(int argc, char **argv)
{
	struct pollfd polls[MAX_FILES];
	char **paths = argv + 2, value[64];
	int count = argc - 2, ready;

	if (count < 1 || count > MAX_FILES)
		errx(FAILED, "usage: wait_event SECONDS ATTRIBUTE...");
	for (int i = 0; i < count; i++) {
		polls[i].fd = open(paths[i], O_RDONLY);
		polls[i].events = POLLPRI;
		if (polls[i].fd < 0)
			err(FAILED, "%s", paths[i]);
		/* From now on poll(2) tells of changes. */
		if (!read_value(polls[i].fd, paths[i], value, sizeof(value)))
			return REMOVED;
	}
	puts("ready");
	fflush(stdout);

	ready = poll(polls, count, atoi(argv[1]) * 1000);
	if (ready < 0)
		err(FAILED, "poll");
	if (!ready)
		return TIMED_OUT;
	report(polls, paths, count);
}
