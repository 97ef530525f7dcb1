// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: records write|check blocks|files WHERE LAST
 *
 * Records have numbers. They are the blocks of a disk, each of which is used again and again,
 * or files in a directory, of which the latest are kept. "write" writes the records after
 * LAST without end. It calls fsync() for each, and then acknowledges it on standard output.
 * "check" reads the records up to LAST. It prints those that are not as they were written,
 * and how many it has read. Its status is 1 if there was such a record.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define BLOCK	4096
#define BLOCKS	1024
#define FILES	100

/* Primes, to spread the blocks over the disk, and the lengths of files up to SHORT */
#define BLOCK_STEP	389
#define LENGTH_STEP	7919

/* The most bytes of a wrong record that are printed */
#define SHOWN	40

/* Lengths of files: one in LONG_EVERY is longer than the limit for one request, 1 MiB. */
#define SHORT	60000
#define LONG	(3 << 19)
#define LONG_EVERY	25
#define LONGEST	(LONG + SHORT)

/*
 * A killed writer may have written one more record, whose acknowledgment was incomplete, and
 * begun the next. These two have replaced the two oldest records.
 */
#define AHEAD	2

static const char *kind, *where;
static bool in_files;
static int disk;

static off_t place(long number)
{
	/* Each block is used once in BLOCKS records. */
	return number * BLOCK_STEP % BLOCKS * BLOCK;
}

static size_t length_of(long number)
{
	if (!in_files)
		return BLOCK;
	return number % LONG_EVERY ? 1 + number * LENGTH_STEP % SHORT : LONG + number % SHORT;
}

/* Repeat the record's line. */
static void fill(char *data, long number)
{
	size_t length = length_of(number), part;
	char line[64];

	part = snprintf(line, sizeof(line), "%s %ld\n", kind, number);
	for (size_t at = 0; at < length; at += part) {
		if (part > length - at)
			part = length - at;
		memcpy(data + at, line, part);
	}
}

static void name_file(char *path, long number)
{
	snprintf(path, PATH_MAX, "%s/%ld", where, number);
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags, 0666);

	if (fd < 0)
		err(errno, "%s", path);
	return fd;
}

static void persist(int fd, const char *path)
{
	if (fsync(fd) < 0)
		err(errno, "%s", path);
}

static void write_block(long number)
{
	char data[BLOCK];

	fill(data, number);
	if (pwrite(disk, data, BLOCK, place(number)) != BLOCK)
		err(errno, "%s", where);
	persist(disk, where);
}

static void write_file(long number)
{
	static char data[LONGEST];
	char path[PATH_MAX];
	ssize_t length = length_of(number);
	int file, directory;

	name_file(path, number);
	file = open_or_die(path, O_WRONLY | O_CREAT | O_TRUNC);
	fill(data, number);
	if (write(file, data, length) != length)
		err(errno, "%s", path);
	persist(file, path);
	directory = open_or_die(where, O_RDONLY);
	persist(directory, where);
	close(directory);
	close(file);
	name_file(path, number - FILES);
	unlink(path);
}

static void write_on(long number)
{
	for (;; number++) {
		if (in_files)
			write_file(number);
		else
			write_block(number);
		if (dprintf(STDOUT_FILENO, "%s %ld ok\n", kind, number) < 0)
			err(errno, "acknowledging");
		tcdrain(STDOUT_FILENO);
	}
}

static ssize_t read_block(long number, char *data)
{
	ssize_t length = pread(disk, data, BLOCK, place(number));

	if (length < 0)
		err(errno, "%s", where);
	if (!length)
		errx(255, "%s ends before record %ld", where, number);
	return length;
}

/* If the file cannot be read, set DATA to the reason. */
static ssize_t read_file(long number, char *data, size_t size)
{
	char path[PATH_MAX];
	ssize_t length = -1;
	int file;

	name_file(path, number);
	file = open(path, O_RDONLY);
	if (file >= 0)
		length = read(file, data, size);
	if (length < 0)
		length = snprintf(data, size, "nothing: %s", strerror(errno));
	if (file >= 0)
		close(file);
	return length;
}

static void report(long number, const char *data, size_t length)
{
	if (length > SHOWN)
		length = SHOWN;
	printf("lost: %s %ld holds ", kind, number);
	for (size_t i = 0; i < length; i++)
		putchar((unsigned char)data[i] < ' ' ? '.' : data[i]);
	putchar('\n');
}

static bool check(long number)
{
	/* One more byte shows that a file is too long. */
	static char data[LONGEST + 1], wanted[LONGEST];
	ssize_t length;

	if (in_files)
		length = read_file(number, data, sizeof(data));
	else
		length = read_block(number, data);
	fill(wanted, number);
	if ((size_t)length == length_of(number) && !memcmp(data, wanted, length))
		return true;
	report(number, data, length);
	return false;
}

static bool check_all(long last)
{
	long first = last - (in_files ? FILES : BLOCKS) + 1 + AHEAD;
	unsigned long checked = 0, lost = 0;

	for (long number = first > 1 ? first : 1; number <= last; number++) {
		checked++;
		if (!check(number))
			lost++;
	}
	printf("checked: %s=%lu lost=%lu\n", kind, checked, lost);
	return !lost;
}

static bool either(const char *word, const char *one, const char *other)
{
	return !strcmp(word, one) || !strcmp(word, other);
}

int main(int argc, char **argv)
{
	long last;

	if (argc != 5 || !either(argv[1], "write", "check") ||
	    !either(argv[2], "blocks", "files")) {
		fprintf(stderr, "usage: records write|check blocks|files WHERE LAST\n");
		exit(255);
	}
	kind = argv[2];
	where = argv[3];
	last = atol(argv[4]);
	in_files = !strcmp(kind, "files");
	if (!in_files)
		disk = open_or_die(where, O_RDWR);
	if (!strcmp(argv[1], "write"))
		write_on(last + 1);
	return check_all(last) ? 0 : 1;
}
