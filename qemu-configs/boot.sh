#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boot a guest with a topology, run one command in it, and end as it ended. The
# command finds qemu-configs/ and tests/ in its working directory, with their programs
# built, and the module where modprobe looks. All changes to disks are lost when the
# guest ends, but for those that IMAGES keeps.

# shellcheck source=qemu-configs/debian.sh
. "${BASH_SOURCE%/*}/debian.sh"

usage() {
	cat <<EOF
Usage: boot.sh [OPTION...] -- COMMAND [ARG...]
  --config NAME         topology: $(configs), or a path (default: cmb)
  --kernel KERNEL       6.1, 6.12, sid, 6.12-debug or 6.12-rt (default: 6.12)
  --system DIRECTORY    boot the system that "debian.sh system" made there, instead of KERNEL
  --append WORDS        more for the kernel's command line
  --qemu-arg ARG        one more argument for QEMU; may be repeated
  --deadline SECONDS    for the command, and on 6.12-debug thrice that (default: 1800)
  --results FILE        for what the command writes to /dev/ttyS3
  --interactive         COMMAND, by default a shell, gets this terminal and all time
  --accelerator         boot nothing, only say what QEMU would run on
Environment: QEMU=path of another QEMU, ACCEL=tcg or kvm to overrule the choice,
V=1 for all output, FULL=1 for tests to do all they can, NVME_CMB_CACHE=directory,
IMAGES=directory for the image files of the topology, to find them there next time.
EOF
}

configs() {
	(cd "$checkout/qemu-configs" && printf '%s\n' *.cfg | sed 's/\.cfg$//' | paste -sd' ')
}

# --- what boots --------------------------------------------------------------

parse_options() { # ARG...
	config=cmb want_kernel=6.12 system='' append='' deadline=1800 results=null
	interactive='' accelerator='' qemu_args=() command=()
	while (($#)); do
		case $1 in
		--config) need_value "$@"; config=$2; shift ;;
		--kernel) need_value "$@"; want_kernel=$2; shift ;;
		--system) need_value "$@"; system=$(realpath "$2"); shift ;;
		--append) need_value "$@"; append=$2; shift ;;
		--qemu-arg) need_value "$@"; qemu_args+=("$2"); shift ;;
		--deadline) need_value "$@"; deadline=$2; shift ;;
		--results) need_value "$@"; results=file:$(realpath "$2"); shift ;;
		--interactive) interactive=1 deadline=0 ;;
		--accelerator) accelerator=1 ;;
		--help) usage; exit ;;
		--) shift; command=("$@"); break ;;
		*) usage >&2; exit 2 ;;
		esac
		shift
	done
	[[ ! $interactive ]] || ((${#command[@]})) || command=(bash -i)
	((${#command[@]})) || [[ $accelerator ]] || die 'no command: see boot.sh --help'
	# KASAN and lockdep take their time
	[[ $want_kernel != *-debug ]] || deadline=$((deadline * 3))
	[[ $config == */* ]] || config=$checkout/qemu-configs/$config.cfg
	[[ -r $config ]] || die "no topology '$config': choose $(configs), or a path"
}

# What is booted: a kernel and its initramfs, the root disk, and a second one
choose_boot() {
	if [[ $system ]]; then
		make_lab
		mke2fs -q -t ext4 -L lab -d payload/lab lab.img 32M
		ln -s "$system/initrd" initramfs.cpio
		vmlinuz=$system/vmlinuz disk=$system/disk second=lab.img root='root=/dev/vda rw'
	else
		{ cat "$kernel/initramfs.cpio" && make_payload; } >initramfs.cpio
		vmlinuz=$kernel/vmlinuz second=$kernel/modules.img root='rdinit=/init'
	fi
}

# The lab's files go behind the kernel's initramfs: the kernel unpacks both.
make_payload() {
	make_lab
	cp "$checkout/qemu-configs/guest/init" payload
	pack_initramfs payload
}

make_lab() {
	local lab=payload/lab build=$checkout/build/$release
	mkdir -p "$lab"
	cp -R "$checkout"/{qemu-configs,tests,bench,utils,driver/nvme_cmb.rst} \
		"$programs/." "$lab"
	if [[ -e $build/nvme_cmb.ko ]]; then
		cp "$build"/nvme_cmb*.ko "$lab"
		cp -R "$build/index" "$lab"
	fi
	[[ ! -e $build/baseline/cmb_baseline.ko ]] || cp "$build/baseline/cmb_baseline.ko" "$lab"
	printf '%s=%q\n' KERNEL "$want_kernel" CONFIG "$(basename "$config" .cfg)" \
		FULL "${FULL-}" STAGING "${STAGING-}" V "$V" LIVE "$LIVE" TERM "${TERM:-dumb}" >"$lab/environment"
	[[ ! $interactive ]] || stty size | sed 's/\(.*\) \(.*\)/rows \1 cols \2/' >"$lab/terminal"
	{ echo '#!/bin/bash' && printf '%q ' exec "${command[@]}" && echo; } >"$lab/command"
	chmod +x "$lab/command"
}

# The image files that a topology names are new and empty for each boot, unless IMAGES
# has them, of whatever size. The size of one that is memory is known to QEMU.
make_images() {
	local key file
	sed -En 's/^ *(file|mem-path) *= *"(.*)"/\1 \2/p' "$config" | while read -r key file; do
		[[ ! $images ]] || ln -s "$images/$file" "$file"
		if [[ $key == file ]]; then
			truncate -s '>64M' "$file"
		else
			touch "$file"
		fi
	done
}

# --- the accelerator ---------------------------------------------------------

# /dev/kvm may exist and yet hang a guest, so only one that has booted counts.
choose_accelerator() {
	local verdict
	verdict=$cache/kvm-$({ cat /proc/sys/kernel/random/boot_id; echo "$qemu"; } | sha256sum | cut -c-12)
	if [[ ${ACCEL-} ]]; then
		accel=$ACCEL reason='as ACCEL says'
	elif [[ ! -w /dev/kvm ]]; then
		accel=tcg reason='no /dev/kvm to write to'
	else
		[[ -e $verdict ]] || phase 'Trying KVM' probe_kvm "$verdict"
		read -r accel reason <"$verdict"
	fi
	echo "accelerator: ${accel^^} ($reason)" >&"$progress"
}

probe_kvm() { # VERDICT-FILE
	mkdir probe
	cp "$checkout/qemu-configs/guest/init" probe
	{ cat "$kernel/initramfs.cpio" && pack_initramfs probe; } >probe.cpio
	# SIGKILL, because a vCPU that hangs in KVM heeds nothing less
	timeout -s KILL 20 "$qemu" -accel kvm -cpu host -M q35 -m 256M -nodefaults -display none \
		-no-reboot -kernel "$kernel/vmlinuz" -initrd probe.cpio \
		-append 'console=ttyS0 panic=-1 kvm_probe=1' -serial file:probe.log || true
	if grep -q 'a guest has booted' probe.log; then
		echo 'kvm a guest has booted with it'
	else
		echo 'tcg /dev/kvm exists, but a guest does not finish in it'
	fi >"$1"
}

# --- the guest ---------------------------------------------------------------

# ttyS0 is the kernel's log, ttyS1 the command's terminal, ttyS2 its status, ttyS3
# what it has to say to programs
start_qemu() {
	# TCG has CPUs run into instructions that Linux is patching, which it does
	# most while it boots: pid1.sh starts the others after that. And huge pages only for
	# who asks for them: khugepaged has the lowest priority, and RCU waits for it. On a
	# busy host that takes so long that the kernel takes it for a stall.
	# And no PIT: the kernel prefers it to the HPET when it measures the TSC, and counts
	# polls of it. On a busy host the TSC seemed ten times as slow as it is, and the
	# guest's time went ten times as fast.
	local cpu='-cpu max' memory=1G only_tcg='maxcpus=1 transparent_hugepage=madvise' pit=off
	[[ $accel != kvm ]] || cpu='-cpu host' only_tcg='' pit=on
	[[ $accel != tcg ]] || accel=tcg,thread=multi
	# KASAN keeps an eighth of it for itself, and what was freed for a while
	[[ $want_kernel != *-debug ]] || memory=2G
	# no_timer_check: a busy host may be too late for a check of the emulated timer.
	# tsc=reliable: and for one whether the CPUs' TSCs agree, which have one source;
	# the HPET would take QEMU's lock each time that anyone wants the time.
	# norandmaps: TCG translates a program again at each new address, so that to start
	# one takes five times as long
	# shellcheck disable=SC2206 # two words
	local arguments=(
		-name nvme_cmb -M "q35,sata=off,pit=$pit" -accel "$accel" $cpu -smp 2 -m "$memory"
		-nodefaults -display none -no-reboot
		-kernel "$vmlinuz" -initrd initramfs.cpio
		-append "console=ttyS0 no_timer_check tsc=reliable norandmaps log_buf_len=1M $only_tcg quiet loglevel=7 panic=-1 $root $append"
		-drive "if=virtio,format=raw,file=$disk,snapshot=on"
		-drive "if=virtio,format=raw,file=$second,snapshot=on"
		-serial file:console.log
		-chardev "stdio,id=terminal,signal=$([[ $interactive ]] && echo off || echo on)"
		-serial chardev:terminal
		-serial file:status
		-serial "$results"
		# QEMU's monitor, in the guest's own hands: who unplugs or traces the
		# guest is the test that runs in it
		-chardev "socket,id=monitor,path=monitor,server=on,wait=off"
		-mon "chardev=monitor,mode=control"
		-chardev "socket,id=port,path=monitor"
		-device "virtio-serial-pci,addr=1e.0"
		-device "virtserialport,chardev=port,name=qmp"
		-readconfig "$config" "${qemu_args[@]}"
	)
	if [[ $interactive ]]; then
		exec {stdin}<&0
	else
		exec {stdin}</dev/null
	fi
	mkfifo terminal
	"$qemu" "${arguments[@]}" <&"$stdin" >terminal &
	qemu_pid=$!
	exec {terminal}<terminal
}

wait_until_ready() {
	local line
	# the debug kernel takes minutes where the host is busy
	read -rt 600 line <&"$terminal" || give_up 'the guest did not come up'
	[[ $line == ready* ]] || give_up "the guest began with '$line'"
}

run_command() {
	# in the background, because only "wait" lets a signal through at once
	local ended=0
	timeout "$deadline" cat <&"$terminal" &
	wait $! || ended=$?
	((ended != 124)) || give_up "the command did not end within $deadline s"
	((!ended)) || die 'nobody reads what the command says'
	wait "$qemu_pid" || give_up "QEMU ended with status $?"
	qemu_pid=
	[[ -s status ]] || give_up 'the guest died before the command ended'
	status=$(tr -d '\r' <status)
	if [[ ! $interactive ]]; then
		((status)) || no_splat || status=1
		((status == 0)) || echo "The guest's kernel log is in $(keep_log)." >&2
	fi
	exit "$status"
}

# What the kernel said after the last such mark, until the guest had ended: a command that
# reads the log itself sets it. The first of a boot is pid1.sh's, and there may be several
# boots: before it the kernel says what it thinks of the machine.
no_splat() {
	local log
	[[ -e console.log ]] || return 0
	log=$(awk '/\] Linux version / { booting = 1 }
		/lab: the log is read from here/ { if (!booting) text = ""; booting = 0 }
		!booting { text = text $0 "\n" }
		END { printf "%s", text }' console.log)
	! grep -m 1 -A 30 -Ef "$checkout/qemu-configs/splats" <<<"$log" >&2
}

# The kernel's log is the first thing to look at, so it outlives the work directory
keep_log() {
	local log
	log=$checkout/build/logs/$(basename "$config" .cfg)-$want_kernel-$$.log
	mkdir -p "${log%/*}"
	cp console.log "$log"
	echo "$log"
}

give_up() { # WHAT-HAPPENED
	[[ -s console.log ]] || die "$1, and its kernel said nothing"
	tail -n 20 console.log >&2
	die "$1. Above is the end of its kernel's log, in whole in $(keep_log).
       Another QEMU (QEMU=path), ACCEL=tcg, another KERNEL or more time (--deadline) may tell why."
}

clean_up() {
	if [[ $qemu_pid ]]; then
		kill -KILL "$qemu_pid" 2>/dev/null || true
		wait "$qemu_pid" 2>/dev/null || true # it has the images until then
	fi
	[[ ! $tty ]] || stty "$tty" || true # which may be closed
	rm -rf "$work"
}

parse_options "$@"
qemu=${QEMU:-qemu-system-x86_64} qemu_pid='' tty=''
config=$(realpath "$config")
[[ $qemu != */* || -x $qemu ]] || die "no QEMU in $qemu"
[[ $qemu != */* ]] || qemu=$(realpath "$qemu")
images=${IMAGES:+$(realpath "$IMAGES")}
[[ ! $images || -w $images/. ]] || die "IMAGES=$IMAGES is no directory to write to"
need "$qemu"
use_kernel "$want_kernel"

[[ ! $interactive ]] || tty=$(stty -g) || die '--interactive needs a terminal'
work=$(mktemp -d)
trap clean_up EXIT
trap 'no_splat && exit 143; exit 1' TERM
cd "$work"
choose_accelerator
[[ ! $accelerator ]] || exit 0
make_images
[[ -e $programs ]] || die "nothing is built: run debian.sh module $want_kernel first"
choose_boot
start_qemu
phase "Booting ($want_kernel)" wait_until_ready
run_command
