# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions and constants of the .bats files. They run in the guest, as root.

# shellcheck source=qemu-configs/guest/pci.bash
. qemu-configs/guest/pci.bash
# shellcheck source=tests/registers.bash
. tests/registers.bash

# Memory Space Enable, in the Command register of PCI
readonly PCI_COMMAND_MEMORY=2

# The size of the disk under test, unless the topology's name has another one. verify_io
# counts blocks of BLOCK bytes.
readonly MIB=$((1 << 20)) BLOCK=4096
readonly DISK_SIZE=$((16 * MIB))
readonly DISK_BLOCKS=$((DISK_SIZE / BLOCK))

# A time-out, for an emulated CPU on a busy host; and limits of fio_verify: blocks in a job, and
# bytes in a job's part of the disk. The debug kernel takes thrice the time, as in boot.sh. There
# fio_verify would take a quarter of an hour.
case ${KERNEL-} in
*-debug) readonly WAIT_TIMEOUT_S=360 FIO_BLOCKS=256 FIO_QUARTER=$MIB ;;
*)	readonly WAIT_TIMEOUT_S=120 FIO_BLOCKS=1024 FIO_QUARTER=$((4 * MIB)) ;;
esac
# Bytes that fio_verify has in flight
readonly FIO_IN_FLIGHT=$((16 * MIB))
readonly QMP_TIMEOUT_S=60

# kmemleak reports no object that is younger than this.
readonly KMEMLEAK_MIN_AGE_S=5

# The number of requests that wait_for_io waits for
readonly MORE_REQUESTS=20

# The disk under test, its KIND, which is cmb or pmr, and the BAR that holds it. The name of a
# topology begins with the kind. A topology with both memories has a name that begins with cmb.
case ${CONFIG-} in
pmr*)	export KIND=pmr BAR=4 ;;
*)	export KIND=cmb BAR=2 ;;
esac
export DISK_NAME=nvme_${KIND}0 DISK=/dev/nvme_${KIND}0

# The disks of a controller with both memories
export CMB=/dev/nvme_cmb0 PMR=/dev/nvme_pmr0

# The PIDs of a test's background processes, by name. The test removes those that it ends.
declare -gA background

# Each test writes a mark into the kernel log first. It fails if there is a splat after it.
setup() {
	# bats records each command before it runs, to know which one failed. That takes
	# 1.6 ms on an emulated CPU, and was half of the tests' time. It is enough to record
	# the command that has failed.
	trap - DEBUG
	trap 'bats_error_trap; failed_here' ERR
	echo "test: $BATS_TEST_DESCRIPTION" >/dev/kmsg
}

# bats omits the frame of the caller from the stack trace. This function is that caller.
failed_here() {
	bats_capture_stack_trace
}

teardown() {
	# bats would wait for ever for processes that a failed test has left.
	[ ${#background[@]} -eq 0 ] || kill "${background[@]}" || true
	sync
	no_splat "$(log_since_mark)"
}

# A file fails if there is a splat outside of its tests, too, or a memory leak. bats runs this
# function without errexit. This function checks the log from the last mark to its own. pid1.sh
# writes the first mark. boot.sh checks what follows the last one.
teardown_file() {
	local mark="lab: the log is read from here"
	echo "$mark" >/dev/kmsg
	no_splat "$(dmesg | awk -v mark="$mark" '
		index($0, mark) { file = text; text = "" }
		{ text = text $0 "\n" }
		END { printf "%s", file text }')" && no_leak
}

# no_splat LOG: fail if LOG has a splat. A file whose tests provoke an expected splat sets
# NO_SPLAT to commands of sed that delete exactly that.
no_splat() {
	local log
	log=$(sed -E "${NO_SPLAT-}" <<<"$1")
	if grep -qEf qemu-configs/splats <<<"$log"; then
		echo "the kernel log holds a splat:"
		# The log itself has all of it.
		grep -m 1 -B 20 -A 100 -Ef qemu-configs/splats <<<"$log"
		return 1
	fi
}

# no_leak: fail if the module has leaked memory. Only the debug kernel has kmemleak, which
# reports an object that no scan has found a pointer to, and that did not change between two
# scans. A stale pointer on a stack may hide the last object that leaked, but not earlier ones.
no_leak() {
	local kmemleak=/sys/kernel/debug/kmemleak lost
	[[ $KERNEL == *-debug ]] || return 0
	echo scan >$kmemleak || return
	sleep "$KMEMLEAK_MIN_AGE_S"
	echo scan >$kmemleak || return
	lost=$(cat $kmemleak) || return
	# A backtrace has no symbols, but addresses, if the module was removed.
	fails grep -EB20 'nvme_cmb| 0xffffffff' <<<"$lost"
}

log_since_mark() {
	dmesg | awk -v mark="test: $BATS_TEST_DESCRIPTION" '
		index($0, mark) { log_text = "" }
		{ log_text = log_text $0 "\n" }
		END { printf "%s", log_text }'
}

# logged TEXT: the kernel has logged TEXT since the test began.
logged() {
	log_since_mark | grep -F -- "$1" && return
	echo "not in the kernel log: $1"
	log_since_mark
	return 1
}

# logged_times TIMES TEXT: the kernel has logged TEXT at least TIMES times since the test began.
logged_times() {
	local times
	times=$(log_since_mark | grep -cF -- "$2") || true
	[ "$times" -ge "$1" ]
}

# controller: the first NVMe function. Most topologies have only one.
controller() {
	controllers | head -n 1
}

no_controller() {
	[ -z "$(controllers)" ]
}

# function_of VENDOR:DEVICE: the PCI address of the first such device
function_of() {
	lspci -Dnd "$1" | awk 'NR == 1 { print $1 }'
}

# wait_for_disk DISK: wait for the device node DISK. A driver may add a disk in a worker, some
# time after it was bound.
wait_for_disk() {
	wait_for "$1" test -b "$1"
	settle
}

# remove, and rescan: remove all controllers in sysfs, and let Linux find them again.
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
		# The driver leaves a controller that has a namespace to the stock driver.
		bind nvme_cmb "$function"
	done
	wait_for_disk "$DISK"
}

# load_driver [PARAMETER...]: load the module, and bind all controllers to it. With STAGING=1 all
# reads and writes of a CMB's disk that can be staged are.
load_driver() {
	local controller
	# udev has loaded the module at boot, by its alias and without parameters.
	unload_driver
	[ -z "$STAGING" ] || stage_all
	modprobe nvme_cmb ${STAGING:+staging=1} "$@"
	for controller in $(controllers); do
		bind nvme_cmb "$controller"
	done
	if [ "$STAGING" ]; then
		settle
		is_staged
	fi
}

# is_staged: copies of the disk under test are staged, at all sizes.
is_staged() {
	local cmb=/sys/block/$DISK_NAME/cmb
	[ "$(<"$cmb/staging")" -eq 1 ]
	[ "$(<"$cmb/staged_read_min")" -eq 1 ]
	[ "$(<"$cmb/staged_write_min")" -eq 1 ]
}

# install_udev_rules: let udev name disks as on a machine that has the package.
install_udev_rules() {
	cp utils/59-nvme_cmb.rules /etc/udev/rules.d
	udevadm control --reload
}

# stage_all: let udev set, for each new disk, the sizes from which requests are staged.
stage_all() {
	mkdir -p /run/udev/rules.d
	cat >/run/udev/rules.d/90-stage-all.rules <<-'EOF'
		SUBSYSTEM=="block", KERNEL=="nvme_cmb*", ATTR{cmb/staging}!="0", ATTR{cmb/staged_read_min}="1", ATTR{cmb/staged_write_min}="1"
	EOF
	udevadm control --reload
}

# unload_driver: remove the module. A PMR that was given to libnvdimm keeps it in use until the
# controller is unbound.
unload_driver() {
	local pmem
	settle
	for pmem in /sys/bus/auxiliary/devices/nvme_cmb.pmem.*; do
		[ ! -e "$pmem" ] || unbind "$(basename "$(realpath "$pmem/..")")"
	done
	modprobe -r nvme_cmb
}

# bar NUMBER FUNCTION: the address of that BAR
bar() {
	awk -v line=$(($1 + 1)) 'NR == line { print $1 }' "$SYS_PCI/devices/$2/resource"
}

# decode off|on [FUNCTION]: switch memory decoding of FUNCTION, or of the controller. While it
# is off, QEMU returns 0 for reads of the BARs.
decode() {
	local function=${2-$(controller)}
	case $1 in
	off)	setpci -s "$function" COMMAND=0:$PCI_COMMAND_MEMORY ;;
	on)	setpci -s "$function" COMMAND=$PCI_COMMAND_MEMORY:$PCI_COMMAND_MEMORY ;;
	esac
}

# reset_function: reset the controller's PCI function.
reset_function() {
	echo 1 >"$SYS_PCI/devices/$(controller)/reset"
}

# register OFFSET [BITS [VALUE]]: read a register of the controller, or write VALUE to it. While
# a driver is bound, that takes a kernel with iomem=relaxed.
register() {
	local base
	base=$(bar 0 "$(controller)")
	decode on
	busybox devmem $((base + $1)) "${@:2}"
}

# clear_cmbmsc: clear CMBMSC, as a reset of the function or a loss of power does in a real
# controller. In QEMU neither does. This takes a kernel with iomem=relaxed.
clear_cmbmsc() {
	register $REG_CMBMSC 32 0
}

# disk_replaced MAJOR:MINOR: nvme_cmb0 is another disk than the one with these numbers.
disk_replaced() {
	local now
	now=$(cat /sys/block/nvme_cmb0/dev 2>/dev/null) && [ "$now" != "$1" ]
}

# open_disk_is_dead: file descriptor 9 is of a dead disk. A read returns no bytes, and a write
# fails.
open_disk_is_dead() {
	[ "$(head -c 1 <&9 | wc -c)" -eq 0 ]
	fails dd if=/dev/zero bs=4k count=1 conv=fsync,notrunc status=none >&9
}

# disk_of FUNCTION: the name of that controller's disk, or nothing. A new disk has another
# number than the last one if that is still open.
disk_of() {
	local disk
	for disk in "$SYS_PCI/devices/$1"/nvme_cmb/*/nvme_[cp]m[br][0-9]*; do
		[ ! -e "$disk" ] || echo "${disk##*/}"
	done
}

# qmp COMMAND [ARGUMENTS]: send a command to the QEMU that runs this guest. Prints its answer.
qmp() {
	local answer id=$((RANDOM + 1))
	exec 7<>/dev/virtio-ports/qmp
	# A connection has to begin with this command. If it is not the first one, QEMU
	# refuses it, which does no harm.
	printf '{"execute": "%s", "arguments": %s, "id": %d}\n' \
		qmp_capabilities '{}' 0 "$1" "${2-"{}"}" $id >&7
	while IFS= read -rt "$QMP_TIMEOUT_S" answer <&7; do
		# jq would take a fifth of a second to start on an emulated CPU.
		[[ $answer == *"\"id\": $id"[!0-9]* ]] || continue
		exec 7<&-
		echo "$answer"
		[[ $answer != *'"error": {'* ]]
		return
	done
	echo "QEMU has not answered $1" >&2
	return 1
}

# since VERSION OTHER: true if OTHER is that version or newer
since() {
	printf '%s\n' "$1" "$2" | sort --check=quiet --version-sort
}

# qemu_since VERSION: true if this guest's QEMU is that version or newer
qemu_since() {
	local version
	version=$(qmp query-version | jq -r '.return.qemu | "\(.major).\(.minor)"')
	since "$1" "$version"
}

# on_reboot reset|shutdown: set what QEMU does when this guest reboots.
on_reboot() {
	qmp set-action "{\"reboot\": \"$1\"}" >/dev/null
}

# pattern SEED BYTES: print lines that all differ, and that depend only on SEED.
pattern() {
	local from
	from=$(cksum <<<"$1")
	from=${from%% *}000000000
	# seq --format would take twenty times as long.
	seq "$from" $((from + $2)) | head -c "$2"
}

# fails COMMAND...: true if COMMAND fails. Prints its output and errors.
fails() {
	! "$@" 2>&1
}

# ends_hold_data DISK: write different data to the first and to the last block of DISK, and
# read both.
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

# zeroes_holes DISK COMMAND...: COMMAND --offset --length zeroes that part of DISK, and changes
# no other byte. The lengths are below the limit for one request, 1 MiB, at it, and above.
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

# fio_verify DISK BLOCK-SIZE...: write blocks in random order and verify the crc32c of each,
# with three engines, with one job, and with four jobs that each have a quarter of the disk.
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

# file_system_round_trip TYPE DISK SIZE: make a file system on DISK, and check that SIZE bytes
# of data, "4M" for example, are there after an unmount.
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

# torn_blocks DISK: print how many blocks of DISK hold more than one byte value. All blocks were
# written with one value each. od omits lines that repeat the one before.
torn_blocks() {
	od -Ad -tx1 -w8 "$1" | awk -v block=$BLOCK '
		NF > 1 && $1 % block && !torn[int($1 / block)]++ { n++ }
		END { print n + 0 }'
}

# note TEXT: add a comment to the test's output.
note() {
	echo "# $*" >&3
}

# wait_for WHAT COMMAND...: wait until COMMAND succeeds, or fail after WAIT_TIMEOUT_S. On an
# emulated CPU a command takes as long as a dozen requests, so that there is a pause between.
wait_for() {
	local end=$((SECONDS + WAIT_TIMEOUT_S)) what=$1
	shift
	until "$@"; do
		((SECONDS < end)) || { echo "timed out waiting for $what"; return 1; }
		sleep 0.1
	done
}

# start_io DISK [--fsync]: start tests/verify_io, which reads and writes all of /dev/DISK until
# stop_io DISK.
start_io() {
	local fifo=$BATS_TEST_TMPDIR/io-$1 file
	[ -p "$fifo" ] || mkfifo "$fifo"
	# The test's own commands have the higher priority.
	nice tests/verify_io "${@:2}" "/dev/$1" >"$fifo" 3>&- &
	background[$1]=$!
	exec {file}<"$fifo"
	io_output[$1]=$file
	read_io_line "$1"
	[ "${io_line[$1]}" = stamped ]
}
declare -gA io_output io_line

# stop_io DISK: let verify_io read all of DISK once more, and end. Fails if any byte was wrong.
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
		{ echo "no output of tests/verify_io for $1"; return 1; }
}

# io_counts DISK, io_count DISK NAME: print all counts, or one, of the last verify_io on DISK.
io_counts() {
	echo "${io_line[$1]}"
}

io_count() {
	local counts=" ${io_line[$1]}"
	counts=${counts#*" $2="}
	echo "${counts%% *}"
}

# cycle_under_load TIMES REMOVE RESTORE: under load, take the disk under test away by the command
# REMOVE, and bring it back by RESTORE. Until then no byte may be wrong. Afterwards each request
# has to fail, also all reads that verify_io does at its end.
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
	note "$1 times, $failed requests failed under load, $verified bytes verified"
	[ "$failed" -gt "$1" ]
	[ "$verified" -gt 0 ]
}

# wait_for_io DISK: wait until DISK has served some more requests.
wait_for_io() {
	wait_for "requests to be served" served_more "$1" $(($(served "$1") + MORE_REQUESTS))
}

served_more() { # DISK THAN
	[ "$(served "$1")" -gt "$2" ]
}

# served DISK: print how many reads and writes DISK has served.
served() {
	awk '{ print $1 + $5 }' "/sys/block/$1/stat"
}

# in_full MANY FEW: print MANY with FULL=1, or else FEW.
in_full() {
	if [ -n "$FULL" ]; then echo "$1"; else echo "$2"; fi
}

# inject ERROR: inject a PCI error at the root port of the -root-port topologies.
inject() {
	qmp human-monitor-command \
		"{\"command-line\": \"pcie_aer_inject_error root_port0 $1\"}"
}

# unplug: unplug the controller of the -root-port topologies, and wait until QEMU has deleted it.
unplug() {
	unplug_device nvme0 "$(controller)"
	no_controller
}

# unplug_device ID FUNCTION: the same for the device that QEMU knows as ID.
unplug_device() {
	qmp device_del "{\"id\": \"$1\"}" >/dev/null
	wait_for "$2 to go" test ! -e "$SYS_PCI/devices/$2"
	wait_for "QEMU to delete it" device_deleted "$1"
}

device_deleted() { # ID
	local devices
	devices=$(qmp qom-list '{"path": "/machine/peripheral"}') && [[ $devices != *"\"$1\""* ]]
}

# plug_in: plug the controller in again. The last disk keeps its number while udev has it open.
# QEMU releases the memory of a PMR some time after it has deleted the device, and only another
# attempt shows when.
plug_in() {
	settle
	wait_for "QEMU to plug it in" device_add || { echo "$device_answer"; return 1; }
}

# Without a namespace, unless it is for scratch blocks. The driver would leave the controller to
# the stock driver otherwise.
device_add() {
	local memory="\"cmb_size_mb\": $((DISK_SIZE / MIB))"
	[ "$KIND" = cmb ] || memory='"pmrdev": "pmr0"'
	[ -z "$STAGING" ] || memory+=', "drive": "disk0"'
	device_answer=$(qmp device_add "{\"driver\": \"nvme\", \"id\": \"nvme0\", \"serial\": \"again\",
		\"bus\": \"root_port0\", $memory}")
}

# plug_in_disk: plug the controller in again, and wait for its disk.
plug_in_disk() {
	plug_in
	wait_for_disk "$DISK"
}

# check_replugged: check what the disk under test holds after an unplug. A CMB is a new one, and
# holds zeros. A PMR keeps what the tests have written.
check_replugged() {
	case $KIND in
	cmb)	cmp -n $DISK_SIZE "$DISK" /dev/zero ;;
	pmr)	dd if="$DISK" of="$BATS_TEST_TMPDIR/left" bs=1M iflag=direct status=none
		[ "$(stat -c %s "$BATS_TEST_TMPDIR/left")" -eq $DISK_SIZE ]
		fails cmp -n $DISK_SIZE "$BATS_TEST_TMPDIR/left" /dev/zero ;;
	esac
}
