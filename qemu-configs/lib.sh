# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the lab's scripts share, on the host and in the guest: how a phase is
# shown, how a script gives up, and how a missing tool is found.

set -euo pipefail
shopt -s inherit_errexit

# Someone must be watching before a line is rewritten or coloured. In the guest
# every output is a serial line, so the host passes its own answer on.
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

seconds_since() { # EPOCHREALTIME
	local us=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
	printf '%d.%d s' $((us / 1000000)) $((us / 100000 % 10))
}

# Run COMMAND as a named phase: its name at once, the time it took when it ends.
# What it prints is seen while it runs, when it fails, or with V=1.
phase() { # NAME COMMAND...
	local name=$1 start=$EPOCHREALTIME status=0 output trap
	shift
	printf '%-31s ' "$name" >&"$progress"
	# set -e again: a caller's "||" must not let a failed step pass
	exec {output}< <(set -e; "$@" 2>&1)
	# who is interrupted, too, and cleans up, dies of that if nobody reads what it says
	trap=$(trap -p INT)
	trap 'cat <&"$output" >/dev/null; exit 130' INT
	watch_phase <&"$output"
	eval "${trap:-trap - INT}"
	exec {output}<&-
	wait $! || status=$?

	[[ -z $LIVE ]] || printf '\r\e[K%-31s ' "$name" >&"$progress"
	if ((status)); then
		printf '%s\n' "$(colour 31 "failed after $(seconds_since "$start")")" >&"$progress"
		[[ $V ]] || tail -n 30 <<<"$log" >&2
		exit "$status"
	fi
	printf '%s\n' "$(colour 32 "$(seconds_since "$start")")" >&"$progress"
}

# Read what the phase prints into its caller's log, and keep the clock moving
watch_phase() {
	local line read
	log=''
	[[ -z $V ]] || echo >&"$progress"
	while read=0; IFS= read -rt 1 line || read=$?; ((read == 0 || read > 128)); do
		log+=$line
		((read)) || log+=$'\n'
		if [[ $V ]]; then
			printf '%s' "$line${log:(-1)}" >&"$progress"
		elif [[ $LIVE ]]; then
			printf '\r\e[K%-31s %s  %.40s' "$name" "$(seconds_since "$start")" "${line##*$'\r'}" >&"$progress"
		fi
	done
	log+=$line
}

package_of() { # COMMAND
	case $1 in
	qemu-system-x86_64) echo qemu-system-x86 ;;
	gnuplot) echo gnuplot-nox ;;
	mke2fs) echo e2fsprogs ;;
	modprobe) echo kmod ;;
	newuidmap) echo uidmap ;;
	prove) echo perl ;;
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
