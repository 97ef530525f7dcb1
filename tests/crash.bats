#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A power cut at any moment. dm-log-writes records all requests of ext4 under load. The tests
# then restore each state that the disk was in after a flush. The kernel has to recover the file
# system from it. The file system has to be clean, and to hold all that was synced by then.
#
# config: cmb pmr
# guest: shared

load lib.bash

TESTS=$BATS_TEST_DIRNAME

# The part of the disk that is used. The tests write all of it again for each flush.
readonly CRASH_MIB=8
# Each round is some load, with a file that is synced and a mark in the log meanwhile.
ROUNDS=4
# Operations of fs_load in each round
readonly OPERATIONS=40
readonly FILE_SIZE=20000 LOG_SIZE=300M
[ -z "${FULL-}" ] || ROUNDS=12

setup_file() {
	modprobe -a dm-log-writes loop
	load_driver
	# udev reads a disk that was written to, unless it is locked.
	exec 9<"$DISK"
	flock 9
}

# Files that one test leaves for the next: the first state of the disk, the log, and the
# checksums of all files that were synced before a mark.
first() { echo "$BATS_FILE_TMPDIR/first"; }
log() { echo "$BATS_FILE_TMPDIR/log"; }
sums() { echo "$BATS_FILE_TMPDIR/sums.$1"; } # MARK

# keep N DIRECTORY: make a new file and sync it, and replace a file by a new one that is synced.
keep() {
	pattern "kept $1" $FILE_SIZE >"$2/kept.$1"
	sync "$2/kept.$1" "$2"
	echo "$1" >"$2/next"
	sync "$2/next"
	mv "$2/next" "$2/last"
	sync "$2"
	(cd "$2" && sha256sum kept.*) >"$(sums "$1")"
}

@test "ext4 under load is recorded, with every flush" {
	local device mnt=$BATS_TEST_TMPDIR/mnt round
	mkdir "$mnt"
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$DISK" ${CRASH_MIB}M
	dd if="$DISK" of="$(first)" bs=1M count=$CRASH_MIB iflag=direct status=none
	truncate -s $LOG_SIZE "$(log)"
	device=$(losetup --find --show "$(log)")
	dmsetup create log --table \
		"0 $((CRASH_MIB * MIB / 512)) log-writes $DISK $device"
	mount -o discard /dev/mapper/log "$mnt"
	mkdir "$mnt/load" "$mnt/kept"
	for ((round = 1; round <= ROUNDS; round++)); do
		"$TESTS/fs_load" "$mnt/load" $round $OPERATIONS 3>&- &
		keep $round "$mnt/kept"
		dmsetup message log 0 mark $round
		wait $!
	done
	umount "$mnt"
	dmsetup status log
	dmsetup remove log
	losetup --detach "$device"
	log_since_mark | fails grep -F "Ran out of space on the logdev"
}

# replay COMMAND...: replay the log from the first state of the disk into the file $image. Call
# COMMAND after each flush, at each mark and at the end. It finds the number of the latest entry
# in $entries, and of the latest mark in $marks. $stops has the number of calls by their kind.
replay() {
	local kind='' mark replayer
	image=$BATS_TEST_TMPDIR/image marks=0
	declare -gA stops=([flush]=0 [fua]=0 [mark]=0 [end]=0)
	cp "$(first)" "$image"
	coproc "$TESTS/replay_log" "$(log)" "$image" 3>&-
	replayer=$COPROC_PID
	until [ "$kind" = end ]; do
		read -r entries kind mark <&"${COPROC[0]}"
		stops[$kind]=$((stops[$kind] + 1))
		[ "$kind" != mark ] || marks=$mark
		"$@"
		echo >&"${COPROC[1]}"
	done
	wait "$replayer"
}

@test "replayed to its end, the log is what the disk holds" {
	replay true
	[ "$marks" -eq $ROUNDS ]
	dd if="$DISK" bs=1M count=$CRASH_MIB iflag=direct status=none | cmp - "$image"
	echo "# $entries entries replayed, $(stat -c %s "$image") bytes alike" >&3
}

# recovers DIRECTORY: write the state to the disk, and mount it at DIRECTORY. The mount recovers
# the journal. Check the files, and then the file system.
recovers() {
	local mnt=$1
	echo "after entry $entries, mark $marks"
	dd if="$image" of="$DISK" bs=1M oflag=direct status=none
	mount "$DISK" "$mnt"
	if [ "$marks" -gt 0 ]; then
		(cd "$mnt/kept" && sha256sum --check --strict --quiet "$(sums "$marks")")
		[ "$(<"$mnt/kept/last")" -ge "$marks" ]
	fi
	# A file of a later round would mean that this is not the state it should be.
	[ ! -e "$mnt/kept/kept.$((marks + 2))" ]
	umount "$mnt"
	e2fsck -f -n "$DISK" >"$BATS_TEST_TMPDIR/out" 2>&1 ||
		{ cat "$BATS_TEST_TMPDIR/out"; return 1; }
}

@test "after each flush it recovers, is clean, and has all that was synced" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	replay recovers "$mnt"
	echo "# $entries entries replayed; ${stops[flush]} flushes," \
		"${stops[fua]} FUA writes, ${stops[mark]} marks: each recovered" >&3
	[ "$marks" -eq $ROUNDS ]
	[ $((stops[flush] + stops[fua])) -ge $((2 * ROUNDS)) ]
}
