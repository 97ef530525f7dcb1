// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: verify_io [--fsync] DISK
 *
 * Read and write DISK at random with O_DIRECT, and verify every byte that was read. On
 * SIGTERM read all of DISK once more, print one line of NAME=NUMBER, and end. The status is 0
 * if no byte was wrong, and 1 if one was.
 *
 * Each word of a block of 4 KiB holds a stamp: the block's number, the number of the write
 * and the word's place. After a write that succeeded only its stamp is possible. A write
 * that failed adds its stamp to the possible ones, because each word may be old or new. A
 * read either fails, or each of its words has a possible stamp. If all words of a block have
 * the same stamp, only that one is possible from then on.
 *
 * --fsync is for a disk that reports errors of writes only at fsync(), and whose reads cannot
 * fail. All writes since the last fsync() that succeeded count as failed. DISK is read only
 * at the end. There is one worker, because only one fsync() reports an error.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096
#define WORDS	(BLOCK / sizeof(__u64))
#define WORKERS	4

/* The limit for one request is 1 << PIECE_ORDER blocks. This part of the requests is no longer. */
#define PIECE_ORDER	8
#define SHORT_REQUESTS	0.9
/* Blocks in the longest request */
#define LONGEST		(1 << (PIECE_ORDER + 2))

/* The buffer's content before a read, which no block has */
#define NOT_READ	0xa5

/* A stamp has the block's number above this bit, and the number of the write below. */
#define BLOCK_SHIFT	32
/* A word has its place in the block above this bit. */
#define PLACE_SHIFT	55

/* Blocks in each of the first writes, which fill the disk */
#define FIRST_WRITE	16
/* With --fsync: the most writes before an fsync(), and the most blocks in each */
#define SYNC_WRITES	4
#define SYNC_BLOCKS	16

/* Blocks are reported until there are this many wrong bytes. */
#define MOST_COMPLAINTS	(8 * BLOCK)

enum {
	READS, WRITES, FAILED_READS, FAILED_WRITES, SYNCS, FAILED_SYNCS,
	VERIFIED, WRONG, UNREAD, SLOWEST_MS, COUNTS
};

static const char * const names[COUNTS] = {
	"reads", "writes", "failed_reads", "failed_writes", "syncs", "failed_syncs",
	"verified", "wrong", "unread", "slowest_ms"
};

/* Each word of a block has one of these stamps. The last of them is the latest. */
struct possible {
	size_t count, room;
	__u64 *stamps;
};

struct worker {
	pid_t pid;
	int result;
};

static const char *disk;
static bool use_fsync;
static struct worker workers[WORKERS];
static unsigned int worker_count = WORKERS;

/* The variables of a worker, which is a process of its own */
static int fd;
static __u64 first, blocks;		/* its part of the disk */
static struct possible *possible;	/* of each block */
static bool *unsynced;			/* of each block: written since the last fsync() */
static __u64 (*buffer)[WORDS];
static __u64 did[COUNTS];
static volatile sig_atomic_t stopped;

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		err(errno, "calloc");
	return memory;
}

static __u64 min(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* Return a random number from 0 to LIMIT - 1. */
static __u64 below(__u64 limit)
{
	return limit * drand48();
}

/* This clock also counts while the machine sleeps, because requests wait meanwhile. */
static __u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* Turn a stamp into the word at PLACE, or such a word into its stamp. */
static __u64 stamped(__u64 stamp, size_t place)
{
	return stamp ^ (__u64)place << PLACE_SHIFT;
}

static bool holds(const __u64 *data, __u64 stamp)
{
	for (size_t i = 0; i < WORDS; i++)
		if (data[i] != stamped(stamp, i))
			return false;
	return true;
}

static bool is_possible(const struct possible *possible, __u64 stamp)
{
	for (size_t i = 0; i < possible->count; i++)
		if (possible->stamps[i] == stamp)
			return true;
	return false;
}

static void add_possible(struct possible *possible, __u64 stamp)
{
	if (possible->count == possible->room) {
		possible->room = possible->room ? 2 * possible->room : 2;
		possible->stamps = realloc(possible->stamps, possible->room * sizeof(stamp));
		if (!possible->stamps)
			err(errno, "realloc");
	}
	possible->stamps[possible->count++] = stamp;
}

static void only_possible(struct possible *possible, __u64 stamp)
{
	possible->stamps[0] = stamp;
	possible->count = 1;
}

static void only_latest(struct possible *possible)
{
	only_possible(possible, possible->stamps[possible->count - 1]);
}

/* Make one request. Return false if it failed in one of the ways that are allowed. */
static bool request(bool write, __u64 block, size_t count)
{
	off_t offset = (first + block) * BLOCK;
	size_t length = count * BLOCK;
	__u64 begin = now_ms(), took;
	ssize_t served;
	int error;

	if (write)
		served = pwrite(fd, buffer, length, offset);
	else
		served = pread(fd, buffer, length, offset);
	error = errno;
	took = now_ms() - begin;
	if (took > did[SLOWEST_MS])
		did[SLOWEST_MS] = took;

	/* A disk that has lost its size serves only a part of the request, or nothing. */
	if (served >= 0)
		return (size_t)served == length;
	if (error == EIO || error == ENODEV || error == ENOSPC || error == ENXIO)
		return false;
	errno = error;
	err(error, "%s", disk);
}

static bool write_blocks(__u64 block, size_t count)
{
	static __u32 writes;

	for (size_t i = 0; i < count; i++) {
		__u64 stamp = (first + block + i) << BLOCK_SHIFT | ++writes;

		add_possible(&possible[block + i], stamp);
		for (size_t place = 0; place < WORDS; place++)
			buffer[i][place] = stamped(stamp, place);
	}
	did[WRITES]++;
	if (!request(true, block, count)) {
		did[FAILED_WRITES]++;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (use_fsync)
			unsynced[block + i] = true;
		else
			only_latest(&possible[block + i]);
	}
	return true;
}

static void sync_blocks(void)
{
	bool synced = !fsync(fd);

	if (!synced && errno != EIO)
		err(errno, "%s", disk);
	did[SYNCS]++;
	if (!synced)
		did[FAILED_SYNCS]++;
	for (__u64 block = 0; block < blocks; block++) {
		if (synced && unsynced[block])
			only_latest(&possible[block]);
		unsynced[block] = false;
	}
}

static void complain(__u64 block, const __u64 *wrong, size_t count)
{
	fprintf(stderr, "block %llu: %zu words of %zu are wrong, the first 0x%llx; possible:",
		first + block, count, WORDS, wrong[0]);
	for (size_t i = 0; i < possible[block].count; i++)
		fprintf(stderr, " 0x%llx", possible[block].stamps[i]);
	fprintf(stderr, "\n");
}

static void verify(__u64 block, const __u64 *data)
{
	struct possible *is = &possible[block];
	__u64 wrong[WORDS];
	size_t count = 0;

	for (size_t i = 0; i < is->count; i++) {
		if (holds(data, is->stamps[i])) {
			only_possible(is, is->stamps[i]);
			return;
		}
	}
	for (size_t i = 0; i < WORDS; i++) {
		__u64 stamp = stamped(data[i], i);

		if (!is_possible(is, stamp))
			wrong[count++] = stamp;
	}
	if (!count)
		return;
	did[WRONG] += count * sizeof(__u64);
	if (did[WRONG] < MOST_COMPLAINTS)
		complain(block, wrong, count);
	/* Report a wrong stamp only once, and not at every read. */
	for (size_t i = 0; i < count; i++)
		if (!is_possible(is, wrong[i]))
			add_possible(is, wrong[i]);
}

static bool read_blocks(__u64 block, size_t count)
{
	did[READS]++;
	/* The data of an earlier read must not be taken for that of this one. */
	memset(buffer, NOT_READ, count * BLOCK);
	if (!request(false, block, count)) {
		did[FAILED_READS]++;
		return false;
	}
	did[VERIFIED] += count * BLOCK;
	for (size_t i = 0; i < count; i++)
		verify(block + i, buffer[i]);
	return true;
}

static void write_and_sync(void)
{
	__u64 times = 1 + below(SYNC_WRITES);

	while (times--) {
		__u64 block = below(blocks > SYNC_BLOCKS ? blocks - SYNC_BLOCKS : 1);

		write_blocks(block, min(1 + below(SYNC_BLOCKS), blocks));
	}
	sync_blocks();
}

/* Most requests are up to the limit for one request, some are two or four times as long. */
static void read_or_write(void)
{
	unsigned int order;
	__u64 count, block;

	if (drand48() < SHORT_REQUESTS)
		order = below(PIECE_ORDER + 1);
	else
		order = PIECE_ORDER + 1 + below(2);
	count = min(1 << order, blocks);
	block = below(blocks - count + 1);
	if (drand48() < 0.5)
		read_blocks(block, count);
	else
		write_blocks(block, count);
}

static void stop(int signal)
{
	stopped = signal;
}

static void open_part(unsigned int worker)
{
	off_t size;

	fd = open(disk, O_RDWR | O_DIRECT);
	if (fd < 0)
		err(errno, "%s", disk);
	size = lseek(fd, 0, SEEK_END);
	if (size < (off_t)worker_count * BLOCK)
		errx(255, "%s is too small", disk);
	blocks = size / BLOCK / worker_count;
	first = worker * blocks;
	possible = allocate(blocks, sizeof(*possible));
	unsynced = allocate(blocks, sizeof(*unsynced));
	buffer = aligned_alloc(BLOCK, LONGEST * BLOCK);
	if (!buffer)
		err(errno, "aligned_alloc");
}

static void report(void)
{
	if (write(STDOUT_FILENO, did, sizeof(did)) != sizeof(did))
		err(errno, "reporting");
}

/*
 * A worker has a part of the disk for itself, and makes one request at a time. It reports
 * its counts twice: when all blocks have a stamp, and at its end.
 */
static void work(unsigned int worker)
{
	/* Lines of several workers must not mix. */
	setlinebuf(stderr);
	signal(SIGTERM, stop);
	open_part(worker);
	srand48(worker);
	for (__u64 block = 0; block < blocks; block += FIRST_WRITE)
		if (!write_blocks(block, min(FIRST_WRITE, blocks - block)))
			errx(255, "%s failed too early", disk);
	if (use_fsync)
		sync_blocks();
	report();
	while (!stopped) {
		if (use_fsync)
			write_and_sync();
		else
			read_or_write();
	}
	for (__u64 block = 0; block < blocks; block++)
		if (!read_blocks(block, 1))
			did[UNREAD]++;
	report();
}

static void start(unsigned int worker)
{
	int result[2];
	pid_t pid;

	if (pipe(result) < 0)
		err(errno, "pipe");
	pid = fork();
	if (pid < 0)
		err(errno, "fork");
	if (!pid) {
		dup2(result[1], STDOUT_FILENO);
		close(result[0]);
		close(result[1]);
		work(worker);
		exit(0);
	}
	close(result[1]);
	workers[worker] = (struct worker){ pid, result[0] };
}

static void stop_all(int signal)
{
	for (unsigned int i = 0; i < worker_count; i++)
		kill(workers[i].pid, signal);
}

static void wait_for_all(void)
{
	while (wait(NULL) > 0)
		continue;
}

static void receive(unsigned int worker, __u64 *counts)
{
	const ssize_t size = sizeof(did);

	if (read(workers[worker].result, counts, size) == size)
		return;
	stop_all(SIGTERM);
	wait_for_all();
	errx(255, "a worker died");
}

int main(int argc, char **argv)
{
	__u64 total[COUNTS] = { 0 }, counts[COUNTS];

	if (argc == 3 && !strcmp(argv[1], "--fsync")) {
		use_fsync = true;
		worker_count = 1;
	} else if (argc != 2) {
		fprintf(stderr, "usage: %s [--fsync] DISK\n", argv[0]);
		exit(255);
	}
	disk = argv[argc - 1];

	for (unsigned int i = 0; i < worker_count; i++)
		start(i);
	signal(SIGTERM, stop_all);
	for (unsigned int i = 0; i < worker_count; i++)
		receive(i, counts);
	printf("stamped\n");
	fflush(stdout);

	for (unsigned int i = 0; i < worker_count; i++) {
		receive(i, counts);
		for (unsigned int j = 0; j < COUNTS; j++) {
			if (j != SLOWEST_MS)
				total[j] += counts[j];
			else if (counts[j] > total[j])
				total[j] = counts[j];
		}
	}
	wait_for_all();
	for (unsigned int j = 0; j < COUNTS; j++)
		printf("%s=%llu%c", names[j], total[j], j < COUNTS - 1 ? ' ' : '\n');
	return total[WRONG] > 0;
}
