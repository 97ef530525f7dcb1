# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the lab's scripts share, on the host and in the guest: how a phase is
# shown, how a script gives up, and how a missing tool is found.

set -euo pipefail
shopt -s inherit_errexit

# A line is rewritten or coloured only on a terminal. In the guest every output is a serial
# line, so that the host passes its own answer on.
: "${LIVE=$(if [[ -t 2 ]]; then echo 1; fi)}" "${V=}"

# QUIET is for a caller whose own report counts: only failures show then
exec {progress}>&2
[[ -z ${QUIET-} ]] || exec {progress}>/dev/null

# mke2fs and modprobe are in sbin, which an ordinary user's PATH lacks
PATH=$PATH:/usr/sbin:/sbin

colour() { # SGR-CODE TEXT
	if [[ $LIVE ]]; then printf '\e[%sm%s\e[0m' "$1" "$2"; else printf '%s' "$2"; fi
}

die() { # MESSAGE...
	printf '%s %s\n' "$(colour 31 'error:')" "$*" >&2
	exit 1
}

# For options that have a value: is there one?
need_value() { # OPTION [VALUE...]
	(($# > 1)) || die "$1 needs a value"
}

seconds_since() { # EPOCHREALTIME
	local us=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
	printf '%d.%d s' $((us / 1000000)) $((us / 100000 % 10))
}

# An interrupt reaches the command of a phase, too. The command may clean up, and it would
# die of SIGPIPE if nobody read what it prints meanwhile.
phase_output=''
interrupted() {
	[[ ! $phase_output ]] || cat <&"$phase_output" >/dev/null
	exit 130
}
trap interrupted INT

# Run COMMAND as a named phase: its name at once, the time it took when it ends.
# What it prints is seen while it runs, when it fails, or with V=1.
phase() { # NAME COMMAND...
	local name=$1 start=$EPOCHREALTIME status=0
	shift
	printf '%-31s ' "$name" >&"$progress"
	# set -e again: a caller's "||" must not let a failed step pass
	exec {phase_output}< <(set -e; "$@" 2>&1)
	watch_phase "$name" "$start" <&"$phase_output"
	exec {phase_output}<&-
	phase_output=''
	wait $! || status=$?

	[[ -z $LIVE ]] || printf '\r\e[K%-31s ' "$name" >&"$progress"
	if ((status)); then
		printf '%s\n' "$(colour 31 "failed after $(seconds_since "$start")")" >&"$progress"
		[[ $V ]] || tail -n 30 <<<"$phase_log" >&2
		exit "$status"
	fi
	printf '%s\n' "$(colour 32 "$(seconds_since "$start")")" >&"$progress"
}

# Read what the phase prints into phase_log, and keep the clock moving. A time-out of
# "read" has a status above 128, and what it has read of a line until then.
watch_phase() { # NAME START
	local line status
	phase_log=''
	[[ -z $V ]] || echo >&"$progress"
	while true; do
		status=0
		IFS= read -rt 1 line || status=$?
		phase_log+=$line
		((status == 0 || status > 128)) || break
		((status)) || phase_log+=$'\n'
		if [[ $V ]]; then
			printf '%s' "$line${phase_log:(-1)}" >&"$progress"
		elif [[ $LIVE ]]; then
			printf '\r\e[K%-31s %s  %.40s' "$1" "$(seconds_since "$2")" "${line##*$'\r'}" >&"$progress"
		fi
	done
}

package_of() { # COMMAND
	case $1 in
	c++ | dpkg-buildpackage) echo build-essential ;; # which all packages are built with
	dh) echo debhelper ;;
	dh_dkms) echo dh-dkms ;;
	qemu-system-x86_64) echo qemu-system-x86 ;;
	gnuplot) echo gnuplot-nox ;;
	man) echo man-db ;;
	mke2fs) echo e2fsprogs ;;
	modprobe) echo kmod ;;
	newuidmap) echo uidmap ;;
	prove) echo perl ;;
	rst2man) echo python3-docutils ;;
	xz) echo xz-utils ;;
	*) echo "$1" ;; # the package bears the command's name
	esac
}

# Make sure that the commands exist: install what is missing where that needs
# no password, otherwise say how.
need() { # COMMAND...
	local tool packages=()
	for tool; do
		command -v "$tool" >/dev/null || packages+=("$(package_of "$tool")")
	done
	((${#packages[@]})) || return 0

	if ((EUID == 0)); then
		phase "Installing ${packages[*]}" apt_install "${packages[@]}"
	elif sudo -n true 2>/dev/null; then
		phase "Installing ${packages[*]}" apt_install sudo "${packages[@]}"
	else
		die "please run: sudo apt-get install -y --no-install-recommends ${packages[*]}"
	fi
}

apt_install() { # [sudo] PACKAGE...
	local sudo=() install=(apt-get install -y --no-install-recommends)
	[[ $1 != sudo ]] || { sudo=(sudo -n); shift; }
	# a fresh machine's package lists are empty or old: once more with new ones
	"${sudo[@]}" "${install[@]}" "$@" ||
		{ "${sudo[@]}" apt-get update && "${sudo[@]}" "${install[@]}" "$@"; }
}
