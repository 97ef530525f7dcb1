// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: replay_log LOG TARGET
 *
 * Write the entries that dm-log-writes recorded in LOG to TARGET, one by one. Stop after each
 * flush and each FUA write, because the disk may be in that state after a power cut. Stop also
 * at each mark and at the end. At a stop, print this line, and wait for a line on standard
 * input:
 *
 *   ENTRIES-REPLAYED flush|fua|mark|end [NAME-OF-THE-MARK]
 *
 * For the order of entries see the kernel's
 * Documentation/admin-guide/device-mapper/log-writes.rst.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC	0x6a736677736872ULL
#define VERSION	1

#define FLUSH	(1 << 0)
#define FUA	(1 << 1)
#define DISCARD	(1 << 2)
#define MARK	(1 << 3)

/* The kernel ends each log with this mark. */
#define LAST_MARK	"dm-log-writes-end"

/*
 * The first sector of a log. All numbers are little-endian, and a sector is as long as a
 * logical block of the disk that was logged.
 */
struct super {
	__le64 magic;
	__le64 version;
	__le64 entries;
	__le32 sector;
} __attribute__((packed));

/* Each entry begins with a sector, and the data of a write follows. */
struct entry {
	__le64 first;	/* sector of the disk */
	__le64 sectors;
	__le64 flags;
	__le64 length;	/* of the name of a mark, which follows here */
	char name[];
};

static int log_file, target;
static size_t sector;		/* its length */

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		err(errno, "calloc");
	return memory;
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		err(errno, "%s", path);
	return fd;
}

static void read_at(__u64 offset, void *data, size_t length)
{
	ssize_t got = pread(log_file, data, length, offset);

	if (got < 0)
		err(errno, "read at %llu", offset);
	if ((size_t)got != length)
		errx(255, "the log ends before %llu + %zu", offset, length);
}

static void write_at(__u64 offset, const void *data, size_t length)
{
	ssize_t written = pwrite(target, data, length, offset);

	if (written < 0)
		err(errno, "write at %llu", offset);
	if ((size_t)written != length)
		errx(255, "short write at %llu", offset);
}

static void read_super(const char *path)
{
	struct super super;

	read_at(0, &super, sizeof(super));
	sector = le32toh(super.sector);
	if (le64toh(super.magic) != MAGIC || le64toh(super.version) != VERSION ||
	    sector <= sizeof(struct entry))
		errx(255, "%s is no log", path);
}

/* Replay ENTRY, whose data is at OFFSET. Return the offset of the next entry. */
static __u64 replay(const struct entry *entry, __u64 offset)
{
	__u64 flags = le64toh(entry->flags);
	size_t bytes = le64toh(entry->sectors) * sector;
	char *data;

	if (flags & MARK || !bytes)
		return offset;
	data = allocate(bytes);
	/* A discard has no data in the log. With nvme_cmb it leaves zeros. */
	if (!(flags & DISCARD)) {
		read_at(offset, data, bytes);
		offset += bytes;
	}
	write_at(le64toh(entry->first) * sector, data, bytes);
	free(data);
	return offset;
}

static const char *stop_after(__u64 flags, const char *name)
{
	if (flags & MARK)
		return strcmp(name, LAST_MARK) ? "mark" : "end";
	/* The flush that device mapper makes before an FUA write has the flag FUA, too. */
	if (flags & FLUSH)
		return "flush";
	if (flags & FUA)
		return "fua";
	return NULL;
}

static void wait_for_line(void)
{
	static char *line;
	static size_t size;

	if (getline(&line, &size, stdin) < 0)
		errx(255, "standard input has ended");
}

static void replay_all(void)
{
	/* One more byte terminates a name that fills the sector. */
	struct entry *entry = allocate(sector + 1);
	__u64 offset = sector, entries = 0;
	const char *stop = NULL;

	while (!stop || strcmp(stop, "end")) {
		__u64 flags, length;
		const char *name = "";

		read_at(offset, entry, sector);
		offset = replay(entry, offset + sector);
		entries++;
		flags = le64toh(entry->flags);
		length = le64toh(entry->length);
		if (flags & MARK) {
			if (length < sector - sizeof(*entry))
				entry->name[length] = '\0';
			name = entry->name;
		}
		stop = stop_after(flags, name);
		if (!stop)
			continue;
		printf("%llu %s %s\n", entries, stop, name);
		fflush(stdout);
		wait_for_line();
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: replay_log LOG TARGET\n");
		exit(255);
	}
	log_file = open_or_die(argv[1], O_RDONLY);
	target = open_or_die(argv[2], O_RDWR);
	read_super(argv[1]);
	replay_all();
	return 0;
}
