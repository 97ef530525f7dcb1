# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Two guests that are joined by a network of their own, for the pair_*.t files. QEMU's stream
# backend joins them over a Unix socket. Guest "b" listens, and outlives guest "a", which connects
# again when it is booted again.

# shellcheck source=tests/tap.bash
. tests/tap.bash

readonly GUEST_TIMEOUT_S=1800

pair=$(mktemp -d -p "${PAIR_DIR:-/dev/shm}")
declare -A pid_of
trap clean_up EXIT

clean_up() {
	[ ${#pid_of[@]} -eq 0 ] || kill "${pid_of[@]}" 2>/dev/null || true
	wait
	rm -rf "$pair"
}

# pair_boot NAME CONFIG COMMAND...: boot guest NAME, which is "a" or "b", in the background. Its
# disks and its PMR stay from boot to boot.
pair_boot() {
	local name=$1 config=$2 server=off mac=52:54:00:00:00:0a
	shift 2
	[ "$name" = a ] || server=on mac=52:54:00:00:00:0b
	mkdir -p "$pair/$name"
	: >"$pair/$name.orders"
	IMAGES=$pair/$name QUIET=1 exec_boot "$name" --config "$config" \
		--results "$pair/$name.orders" --deadline $GUEST_TIMEOUT_S \
		--qemu-arg -netdev --qemu-arg "stream,id=net0,server=$server,addr.type=unix,addr.path=$pair/net" \
		--qemu-arg -device --qemu-arg "virtio-net-pci,netdev=net0,mac=$mac" \
		--qemu-arg -D --qemu-arg "$pair/$name.trace" \
		--qemu-arg -pidfile --qemu-arg "$pair/$name.pid" -- "$@"
	[ "$name" = a ] || wait_for_file "$pair/net"
}

exec_boot() { # NAME ARGUMENT...
	qemu-configs/boot.sh --kernel "${KERNEL:-6.12}" "${@:2}" >>"$pair/$1.out" 2>&1 &
	pid_of[$1]=$!
}

wait_for_file() {
	until [ -e "$1" ]; do
		kill -0 "${pid_of[b]}" 2>/dev/null || { ended b; report b; exit 1; }
		sleep 0.1
	done
}

# ended NAME: wait for that guest, and set status.
ended() {
	status=0
	wait "${pid_of[$1]}" || status=$?
	unset "pid_of[$1]"
}

# kill_guest NAME: kill its QEMU by SIGKILL, as boot.sh does when it is terminated.
kill_guest() {
	kill "${pid_of[$1]}"
	ended "$1"
}

# freeze_guest NAME SECONDS
freeze_guest() {
	local pid
	pid=$(<"$pair/$1.pid")
	kill -STOP "$pid"
	sleep "$2"
	kill -CONT "$pid"
}

# obey NAME: carry out the orders of that guest until it ends. An order is a line "order: WORD...",
# which calls the function order_WORD.
obey() {
	local line done_lines=0
	local -a lines words
	while kill -0 "${pid_of[$1]}" 2>/dev/null; do
		mapfile -t lines < <(tr -d '\r' <"$pair/$1.orders" | grep -a '^order: ')
		for line in "${lines[@]:done_lines}"; do
			done_lines=$((done_lines + 1))
			read -ra words <<<"${line#order: }"
			"order_${words[0]}" "${words[@]:1}"
		done
		sleep 0.2
	done
	ended "$1"
}

# report NAME: print the results of the tests that ran in that guest, and its last lines if it
# failed.
report() {
	local results
	results=$(grep -aE '^(ok|not ok|#) ' "$pair/$1.out") || true
	[ ! "$results" ] || echo "$results"
	number=$((number + $(grep -c '^ok ' <<<"$results" || true)))
	if ((status)); then
		echo "# guest $1 ended with $status"
		tail -n "$CONTEXT_LINES" "$pair/$1.out" | sed 's/^/# /'
		exit 1
	fi
}
