// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: fs_load DIRECTORY SEED COUNT
 *
 * Do COUNT random operations on a few files in DIRECTORY: write, append, truncate, rename,
 * link, unlink, make and remove directories, and fsync() sometimes. SEED determines them all.
 * An operation may fail, because a name does not exist or exists already, or because there is
 * no space. An I/O error ends the program.
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
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORIES	4
#define FILES		8	/* in each of them */

/* The most bytes in a write, and the limits of the offset of a write and of a truncated file */
#define LONGEST		32768
#define LAST_PLACE	98304
#define LONGEST_CUT	65536

static const char *top;

/* Return a random number from 0 to LIMIT - 1. */
static unsigned int below(unsigned int limit)
{
	return limit * drand48();
}

static void name_directory(char *path)
{
	snprintf(path, PATH_MAX, "%s/d%u", top, below(DIRECTORIES));
}

static void name_file(char *path)
{
	unsigned int directory = below(DIRECTORIES);

	snprintf(path, PATH_MAX, "%s/d%u/f%u", top, directory, below(FILES));
}

/* Write at a random offset, or append. The caller checks errno. */
static void fill(int whence, bool sync)
{
	char path[PATH_MAX], data[LONGEST];
	size_t length;
	int file, letter;

	name_file(path);
	file = open(path, O_RDWR | O_CREAT, 0666);
	if (file < 0)
		return;
	lseek(file, whence == SEEK_SET ? below(LAST_PLACE) : 0, whence);
	letter = 'A' + below(26);
	length = 1 + below(sizeof(data));
	memset(data, letter, length);
	write(file, data, length);
	if (sync)
		fsync(file);
	close(file);
}

static void cut(void)
{
	char path[PATH_MAX];

	name_file(path);
	truncate(path, below(LONGEST_CUT));
}

static void unlink_one(void)
{
	char path[PATH_MAX];

	name_file(path);
	unlink(path);
}

/* Call rename(), link() or symlink(). */
static void with_two_files(int (*function)(const char *from, const char *to))
{
	char from[PATH_MAX], to[PATH_MAX];

	name_file(from);
	name_file(to);
	function(from, to);
}

static void make_directory(void)
{
	char path[PATH_MAX];

	name_directory(path);
	mkdir(path, 0777);
}

static void remove_directory(void)
{
	char path[PATH_MAX], files[PATH_MAX + 2];
	glob_t found;

	name_directory(path);
	snprintf(files, sizeof(files), "%s/*", path);
	if (!glob(files, 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	rmdir(path);
}

static void do_something(void)
{
	switch (below(26)) {
	case 0 ... 5:
		fill(SEEK_SET, false);
		break;
	case 6 ... 8:
		fill(SEEK_END, false);
		break;
	case 9 ... 10:
		fill(SEEK_SET, true);
		break;
	case 11 ... 12:
		cut();
		break;
	case 13 ... 15:
		with_two_files(rename);
		break;
	case 16 ... 17:
		with_two_files(link);
		break;
	case 18:
		with_two_files(symlink);
		break;
	case 19 ... 21:
		unlink_one();
		break;
	case 22 ... 24:
		make_directory();
		break;
	case 25:
		remove_directory();
		break;
	}
}

int main(int argc, char **argv)
{
	long count;

	if (argc != 4) {
		fprintf(stderr, "usage: fs_load DIRECTORY SEED COUNT\n");
		exit(255);
	}
	top = argv[1];
	srand48(atol(argv[2]));
	for (count = atol(argv[3]); count > 0; count--) {
		errno = 0;
		do_something();
		if (errno == EIO || errno == EROFS)
			err(errno, "%s", top);
	}
	return 0;
}
