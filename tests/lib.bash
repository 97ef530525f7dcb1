# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the .bats files share. All of it runs in the guest, as root.

# shellcheck source=qemu-configs/guest/pci.bash
. qemu-configs/guest/pci.bash
# shellcheck source=tests/registers.bash
. tests/registers.bash

# Memory Space Enable, in the Command register of PCI
readonly PCI_COMMAND_MEMORY=2

# The disk under test, where the topology's name does not tell another size. verify_io
# counts blocks of 4 KiB.
readonly MIB=$((1 << 20)) BLOCK=4096
readonly DISK_SIZE=$((16 * MIB))
readonly DISK_BLOCKS=$((DISK_SIZE / BLOCK))

# Time-outs, for an emulated CPU on a busy host. The debug kernel takes thrice the time, as in
# boot.sh.
case ${KERNEL-} in
*-debug) readonly WAIT_TIMEOUT_S=360 ;;
*)	readonly WAIT_TIMEOUT_S=120 ;;
esac
readonly QMP_TIMEOUT_S=60

# kmemleak does not report an object that is younger.
readonly KMEMLEAK_MIN_AGE_S=5

# wait_for_io waits for so many more requests.
readonly MORE_REQUESTS=20

# fio_verify writes no more blocks in a job than that, and has no more bytes in flight.
readonly FIO_BLOCKS=1024 FIO_QUARTER=$((4 * MIB)) FIO_IN_FLIGHT=$((16 * MIB))

# The disk under test, of KIND cmb or pmr, and the BAR that holds it. The topology's
# name begins with what it has, or has first.
case ${CONFIG-} in
pmr*)	export KIND=pmr BAR=4 ;;
*)	export KIND=cmb BAR=2 ;;
esac
export DISK_NAME=nvme_${KIND}0 DISK=/dev/nvme_${KIND}0

# The disks of a controller with both memories
export CMB=/dev/nvme_cmb0 PMR=/dev/nvme_pmr0

# The processes that run beside a test, by name, until the test has ended them.
declare -gA background

# Every test starts at a mark in the kernel log, and is over only when nothing
# behind that mark is a splat.
setup() {
	# bats looks at each command before it runs, to know which one failed. That takes
	# 1.6 ms in an emulated CPU, and took half of the tests' time: it is enough to look
	# when one has failed.
	trap - DEBUG
	trap 'bats_error_trap; failed_here' ERR
	echo "test: $BATS_TEST_DESCRIPTION" >/dev/kmsg
}

# bats leaves out the frame of whoever asks for the stack: be that.
failed_here() {
	bats_capture_stack_trace
}

teardown() {
	# left by a test that failed, they would keep bats waiting for ever
	[ ${#background[@]} -eq 0 ] || kill "${background[@]}" || true
	sync
	no_splat "$(log_since_mark)"
}

# And a file is over only when none came before or between them, and nothing of what it
# allocated was lost. bats runs this one without errexit. What follows the mark is for
# boot.sh to read, as what is before the first, in pid1.sh, is for nobody.
teardown_file() {
	local mark="lab: the log is read from here"
	echo "$mark" >/dev/kmsg
	no_splat "$(dmesg | awk -v mark="$mark" '
		index($0, mark) { file = text; text = "" }
		{ text = text $0 "\n" }
		END { printf "%s", file text }')" && no_leak
}

# no_splat LOG: NO_SPLAT is for a file whose tests ask the kernel for what looks like one:
# sed's commands to delete just that.
no_splat() {
	local log
	log=$(sed -E "${NO_SPLAT-}" <<<"$1")
	if grep -qEf qemu-configs/splats <<<"$log"; then
		echo "the kernel log holds a splat:"
		# its beginning, and what came before; all is in the log itself
		grep -m 1 -B 20 -A 100 -Ef qemu-configs/splats <<<"$log"
		return 1
	fi
}

# no_leak: on the kernel that looks for them. It knows an object as lost when that is
# more than five seconds old, and has not changed from one scan to the next. The last one
# that was lost may still be named on some task's stack; those before it are not.
no_leak() {
	local kmemleak=/sys/kernel/debug/kmemleak lost
	[[ $KERNEL == *-debug ]] || return 0
	echo scan >$kmemleak || return
	sleep "$KMEMLEAK_MIN_AGE_S"
	echo scan >$kmemleak || return
	lost=$(cat $kmemleak) || return
	# a module that is gone has addresses, and no names
	fails grep -EB20 'nvme_cmb| 0xffffffff' <<<"$lost"
}

log_since_mark() {
	dmesg | awk -v mark="test: $BATS_TEST_DESCRIPTION" '
		index($0, mark) { log_text = "" }
		{ log_text = log_text $0 "\n" }
		END { printf "%s", log_text }'
}

# logged TEXT: the driver said so since the test began.
logged() {
	log_since_mark | grep -F -- "$1" && return
	echo "not in the kernel log: $1"
	log_since_mark
	return 1
}

# logged_times TIMES TEXT: the kernel did say so since the test began.
logged_times() {
	local times
	times=$(log_since_mark | grep -cF -- "$2") || true
	[ "$times" -ge "$1" ]
}

# controller: the first NVMe function, where a topology has but one under test.
controller() {
	controllers | head -n 1
}

no_controller() {
	[ -z "$(controllers)" ]
}

# function_of VENDOR:DEVICE: where that PCI device sits.
function_of() {
	lspci -Dnd "$1" | awk 'NR == 1 { print $1 }'
}

# wait_for_disk DISK: a driver may add it in a worker, some time after it was bound.
wait_for_disk() {
	wait_for "$1" test -b "$1"
	settle
}

# remove, and rescan: all controllers, in sysfs, and the disk under test with them.
remove() {
	local function
	for function in $(controllers); do
		echo 1 >"$SYS_PCI/devices/$function/remove"
	done
	settle
	[ ! -e "$DISK" ]
}

rescan() {
	local function
	echo 1 >"$SYS_PCI/rescan"
	for function in $(controllers); do
		# it may have gone to the stock driver, where there is one
		[ ! -e "$SYS_PCI/drivers/nvme" ] || bind nvme_cmb "$function"
	done
	wait_for_disk "$DISK"
}

# load_driver [PARAMETER...]: the module, and every controller with a CMB in its hands.
load_driver() {
	local controller
	# udev has loaded it at boot, by its alias and without parameters.
	unload_driver
	modprobe nvme_cmb "$@"
	for controller in $(controllers); do
		bind nvme_cmb "$controller"
	done
	settle
}

# A PMR that libnvdimm has keeps the module in use until its controller is unbound.
unload_driver() {
	local pmem
	settle
	for pmem in /sys/bus/auxiliary/devices/nvme_cmb.pmem.*; do
		[ ! -e "$pmem" ] || unbind "$(basename "$(realpath "$pmem/..")")"
	done
	modprobe -r nvme_cmb
}

# bar NUMBER FUNCTION: the address that it was given.
bar() {
	awk -v line=$(($1 + 1)) 'NR == line { print $1 }' "$SYS_PCI/devices/$2/resource"
}

# decode off|on [FUNCTION]: of its memory; of the controller if not given. What does not decode
# reads as 0 in QEMU.
decode() {
	local function=${2-$(controller)}
	case $1 in
	off)	setpci -s "$function" COMMAND=0:$PCI_COMMAND_MEMORY ;;
	on)	setpci -s "$function" COMMAND=$PCI_COMMAND_MEMORY:$PCI_COMMAND_MEMORY ;;
	esac
}

# reset_function: of the controller.
reset_function() {
	echo 1 >"$SYS_PCI/devices/$(controller)/reset"
}

# register OFFSET [BITS [VALUE]]: read it, or write it, while nobody has it.
register() {
	local base
	base=$(bar 0 "$(controller)")
	decode on
	busybox devmem $((base + $1)) "${@:2}"
}

# clear_cmbmsc: as a loss of power, or a reset of a real controller's function, clears it, and
# nothing in QEMU does. The driver has the register: it takes iomem=relaxed.
clear_cmbmsc() {
	register $REG_CMBMSC 32 0
}

# disk_replaced MAJOR:MINOR: nvme_cmb0, which had these, by another disk of its name.
disk_replaced() {
	local now
	now=$(cat /sys/block/nvme_cmb0/dev 2>/dev/null) && [ "$now" != "$1" ]
}

# open_disk_is_dead: who has a dead disk open, as file 9, reads nothing and writes nothing.
open_disk_is_dead() {
	[ "$(head -c 1 <&9 | wc -c)" -eq 0 ]
	fails dd if=/dev/zero bs=4k count=1 conv=fsync,notrunc status=none >&9
}

# disk_of FUNCTION: the name of the disk on that controller, if there is one just now. It
# gets another number when someone still has the last one open.
disk_of() {
	ls "$SYS_PCI/devices/$1/block" 2>/dev/null || true
}

# qmp COMMAND [ARGUMENTS]: of the QEMU that this guest runs in. Its answer.
qmp() {
	local answer id=$((RANDOM + 1))
	exec 7<>/dev/virtio-ports/qmp
	# The first command of a connection has to be this one; later it is refused,
	# which does no harm.
	printf '{"execute": "%s", "arguments": %s, "id": %d}\n' \
		qmp_capabilities '{}' 0 "$1" "${2-"{}"}" $id >&7
	while IFS= read -rt "$QMP_TIMEOUT_S" answer <&7; do
		# without jq, which takes a fifth of a second to start in an emulated CPU
		[[ $answer == *"\"id\": $id"[!0-9]* ]] || continue
		exec 7<&-
		echo "$answer"
		[[ $answer != *'"error": {'* ]]
		return
	done
	echo "QEMU has not answered $1" >&2
	return 1
}

# since VERSION OTHER: is OTHER that version, or newer?
since() {
	printf '%s\n' "$1" "$2" | sort --check=quiet --version-sort
}

# qemu_since VERSION: is the QEMU that this guest runs in that one, or newer?
qemu_since() {
	local version
	version=$(qmp query-version | jq -r '.return.qemu | "\(.major).\(.minor)"')
	since "$1" "$version"
}

# on_reboot reset|shutdown: what QEMU does when this guest reboots.
on_reboot() {
	qmp set-action "{\"reboot\": \"$1\"}" >/dev/null
}

# pattern SEED BYTES: no two lines alike, and the same for the same SEED.
pattern() {
	local from
	from=$(cksum <<<"$1")
	from=${from%% *}000000000
	# not by a --format of seq's, which takes twenty times as long
	seq "$from" $((from + $2)) | head -c "$2"
}

# fails COMMAND...: it must, and what it said is shown.
fails() {
	! "$@" 2>&1
}

# ends_hold_data DISK: its first and its last block do, and differ.
ends_hold_data() {
	local last=$(($(blockdev --getsize64 "$1") / BLOCK - 1))
	pattern "first of $1" $BLOCK |
		dd of="$1" bs=$BLOCK oflag=direct iflag=fullblock status=none
	pattern "last of $1" $BLOCK | dd of="$1" bs=$BLOCK seek=$last oflag=direct \
		iflag=fullblock status=none
	dd if="$1" bs=$BLOCK count=1 iflag=direct status=none |
		cmp - <(pattern "first of $1" $BLOCK)
	dd if="$1" bs=$BLOCK skip=$last iflag=direct status=none |
		cmp - <(pattern "last of $1" $BLOCK)
}

# zeroes_holes DISK COMMAND...: it zeroes --offset/--length of DISK and not one byte beside
# that, be that less than a disk takes at once, just that, or several times as much.
zeroes_holes() {
	local disk=$1 length offset=$((129 * 512)) filled=$((6 * MIB))
	shift
	for length in 512 $((586 * 512)) $MIB $((MIB + 512)) $((9766 * 512)); do
		pattern hole $filled | dd of="$disk" bs=64k oflag=direct \
			iflag=fullblock status=none
		"$@" --offset $offset --length "$length" "$disk"
		cmp <(dd if="$disk" bs=64k count=$((filled / 65536)) iflag=direct status=none) <(
			pattern hole $filled | head -c $offset
			head -c "$length" /dev/zero
			pattern hole $filled | tail -c +$((offset + length + 1))
		)
	done
}

# fio_verify DISK BLOCK-SIZE...: crc32c of every block, written in random order
# by one job and by four, each in a quarter of its own: 1024 blocks at most, and no more at
# once than 16 MiB.
fio_verify() {
	local disk=$1 bs bytes depth engine quarter size
	quarter=$(($(blockdev --getsize64 "$disk") / 4))
	[ "$quarter" -le $FIO_QUARTER ] || quarter=$FIO_QUARTER
	shift
	for bs in "$@"; do
		bytes=${bs/k/ * 1024}
		bytes=$((${bytes/m/ * $MIB}))
		size=$((FIO_BLOCKS * bytes))
		[ "$size" -le "$quarter" ] || size=$quarter
		for engine in psync:1 libaio:8 io_uring:32; do
			depth=${engine#*:}
			((depth * bytes <= FIO_IN_FLIGHT)) || depth=$((FIO_IN_FLIGHT / bytes))
			printf '%s\n' "[$bs-${engine%:*}-one]" stonewall \
				rw=randwrite verify=crc32c verify_fatal=1 \
				bs="$bs" ioengine="${engine%:*}" \
				iodepth="$depth" size=$size
			printf '%s\n' "[$bs-${engine%:*}-four]" stonewall \
				rw=randwrite verify=crc32c verify_fatal=1 \
				bs="$bs" ioengine="${engine%:*}" \
				iodepth="$depth" size=$((size / 4 < bytes ? bytes : size / 4)) \
				numjobs=4 offset_increment=$quarter
		done
	done >"$BATS_TEST_TMPDIR/verify.fio"
	fio --filename="$disk" --allow_file_create=0 --direct=1 \
		--group_reporting \
		"$BATS_TEST_TMPDIR/verify.fio" >"$BATS_TEST_TMPDIR/out" ||
		{ cat "$BATS_TEST_TMPDIR/out"; return 1; }
}

# file_system_round_trip TYPE DISK SIZE: so much data in it, as in 4M, outlives an unmount.
file_system_round_trip() {
	local mnt=$BATS_TEST_TMPDIR/mnt size sum
	size=$(numfmt --from=iec "$3")
	mkdir -p "$mnt"
	"mkfs.$1" "$2" >"$BATS_TEST_TMPDIR/out" 2>&1 ||
		{ cat "$BATS_TEST_TMPDIR/out"; return 1; }
	mount -t "$1" "$2" "$mnt"
	pattern "$1" "$size" >"$mnt/file"
	sum=$(sha256sum <"$mnt/file")
	umount "$mnt"
	case $1 in
	ext4)	e2fsck -f -n "$2" ;;
	xfs)	xfs_repair -n "$2" ;;
	btrfs)	btrfs check --readonly "$2" ;;
	esac >"$BATS_TEST_TMPDIR/out" 2>&1 ||
		{ cat "$BATS_TEST_TMPDIR/out"; return 1; }
	mount -t "$1" "$2" "$mnt"
	[ "$(sha256sum <"$mnt/file")" = "$sum" ]
	[ "$(stat -c %s "$mnt/file")" -eq "$size" ]
	umount "$mnt"
	wipefs --quiet --all "$2"
}

# torn_blocks DISK: how many of its blocks of 4 KiB do not hold one byte all over, as whoever
# has written them did. od leaves out what is as before.
torn_blocks() {
	od -Ad -tx1 -w8 "$1" | awk -v block=$BLOCK '
		NF > 1 && $1 % block && !torn[int($1 / block)]++ { n++ }
		END { print n + 0 }'
}

# note TEXT: what a test did, in its report.
note() {
	echo "# $*" >&3
}

# wait_for WHAT COMMAND...: until COMMAND succeeds, for WAIT_TIMEOUT_S at most. To look takes an
# emulated CPU as long as a dozen requests do: not too often.
wait_for() {
	local end=$((SECONDS + WAIT_TIMEOUT_S)) what=$1
	shift
	until "$@"; do
		((SECONDS < end)) || { echo "in vain waited for $what"; return 1; }
		sleep 0.1
	done
}

# start_io DISK [--fsync]: tests/verify_io reads and writes all over /dev/DISK until
# stop_io.
start_io() {
	local says=$BATS_TEST_TMPDIR/io-$1 file
	[ -p "$says" ] || mkfifo "$says"
	# whatever the test does comes first
	nice tests/verify_io "${@:2}" "/dev/$1" >"$says" 3>&- &
	background[$1]=$!
	exec {file}<"$says"
	io_output[$1]=$file
	read_io_line "$1"
	[ "${io_line[$1]}" = stamped ]
}
declare -gA io_output io_line

# stop_io DISK: it was read once more, and no byte was wrong.
stop_io() {
	local file=${io_output[$1]} pid=${background[$1]}
	unset "background[$1]"
	kill -TERM "$pid"
	read_io_line "$1"
	exec {file}<&-
	wait "$pid"
}

read_io_line() { # DISK
	read -rt "$WAIT_TIMEOUT_S" -u "${io_output[$1]}" "io_line[$1]" ||
		{ echo "tests/verify_io of $1 says nothing"; return 1; }
}

# io_counts DISK, io_count DISK NAME: what was done to it.
io_counts() {
	echo "${io_line[$1]}"
}

io_count() {
	local counts=" ${io_line[$1]}"
	counts=${counts#*" $2="}
	echo "${counts%% *}"
}

# cycle_under_load TIMES AWAY BACK: the disk under test is taken away by the one command and
# brought back by the other. Until it goes no byte is wrong, and then each request fails:
# those of the load, and all reads of who looks through it at the end.
cycle_under_load() {
	local i failed=0 verified=0
	for ((i = 0; i < $1; i++)); do
		start_io "$DISK_NAME"
		wait_for_io "$DISK_NAME"
		"$2"
		stop_io "$DISK_NAME"
		failed=$((failed + $(io_count "$DISK_NAME" failed_reads) - DISK_BLOCKS +
			$(io_count "$DISK_NAME" failed_writes)))
		verified=$((verified + $(io_count "$DISK_NAME" verified)))
		[ "$(io_count "$DISK_NAME" unread)" -eq $DISK_BLOCKS ]
		"$3"
	done
	note "$1 times, $failed requests failed under way, $verified bytes verified"
	[ "$failed" -gt "$1" ]
	[ "$verified" -gt 0 ]
}

# wait_for_io DISK: more requests have been served.
wait_for_io() {
	wait_for "requests to be served" served_more "$1" $(($(served "$1") + MORE_REQUESTS))
}

served_more() { # DISK THAN
	[ "$(served "$1")" -gt "$2" ]
}

# served DISK: how many reads and writes it has served.
served() {
	awk '{ print $1 + $5 }' "/sys/block/$1/stat"
}

# in_full MANY FEW: how often to do it.
in_full() {
	if [ -n "$FULL" ]; then echo "$1"; else echo "$2"; fi
}

# inject ERROR: of PCI, on the port of the -root-port topologies.
inject() {
	qmp human-monitor-command \
		"{\"command-line\": \"pcie_aer_inject_error root_port0 $1\"}"
}

# unplug: the controller of the -root-port topologies, until QEMU has forgotten it.
unplug() {
	qmp device_del '{"id": "nvme0"}' >/dev/null
	wait_for "the controller to go" no_controller
	wait_for "QEMU to let it go" device_deleted
}

device_deleted() {
	local devices
	devices=$(qmp qom-list '{"path": "/machine/peripheral"}') &&
		[[ $devices != *'"nvme0"'* ]]
}

# plug_in: the same, anew. Until udev has looked at what load has left of the last disk, that
# keeps its number; and QEMU lets go of a PMR's memory some time after it has forgotten the
# device, which nothing else tells.
plug_in() {
	settle
	wait_for "QEMU to plug it in" device_add
}

device_add() {
	local memory="\"cmb_size_mb\": $((DISK_SIZE / MIB))"
	[ "$KIND" = cmb ] || memory='"pmrdev": "pmr0"'
	qmp device_add "{\"driver\": \"nvme\", \"id\": \"nvme0\", \"serial\": \"again\",
		\"bus\": \"root_port0\", \"drive\": \"disk0\", $memory}" >/dev/null
}

# plug_in_disk: and until its disk is there.
plug_in_disk() {
	plug_in
	wait_for_disk "$DISK"
}

# check_replugged: of the disk under test, what is to be there: nothing in a CMB, which is a new
# one, and in a PMR something that tests have left.
check_replugged() {
	case $KIND in
	cmb)	cmp -n $DISK_SIZE "$DISK" /dev/zero ;;
	pmr)	dd if="$DISK" of="$BATS_TEST_TMPDIR/left" bs=1M iflag=direct status=none
		[ "$(stat -c %s "$BATS_TEST_TMPDIR/left")" -eq $DISK_SIZE ]
		fails cmp -n $DISK_SIZE "$BATS_TEST_TMPDIR/left" /dev/zero ;;
	esac
}
