#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# nvme-cli and smartctl on the controller's device and on its disk: every command that the manual
# shows, and those that are refused.
#
# config: cmb-staged

load lib.bash
load control.bash

readonly SCRATCH=2 SERIAL=cmb-staged

# Not allowed is "Operation not permitted" for all, and "Permission denied" for some.
readonly REFUSED="Operation not permitted" DENIED="Permission denied"

setup_file() {
	load_driver staging=$SCRATCH
}

# on_both COMMAND [ARGUMENT...]: run nvme COMMAND with both nodes. Sets output to the last one's.
on_both() {
	local node
	for node in "$CTRL" "$DISK"; do
		output=$(nvme "$1" "$node" "${@:2}" 2>&1) || {
			echo "nvme $1 $node ${*:2}: $output"
			return 1
		}
	done
}

# refused_on_both COMMAND [ARGUMENT...]: nvme COMMAND is refused with both nodes.
refused_on_both() {
	local node
	for node in "$CTRL" "$DISK"; do
		output=$(fails nvme "$1" "$node" "${@:2}")
		[[ $output == *"$REFUSED"* ]] || {
			echo "nvme $1 $node ${*:2}: $output"
			return 1
		}
	done
}

@test "id-ctrl: the controller is who the attributes say" {
	on_both id-ctrl
	echo "$output"
	grep -Eq "^sn +: $SERIAL *$" <<<"$output"
	[ "$(<"$CTRL_SYS/serial")" = "$SERIAL" ]
	grep -Fq "$(<"$CTRL_SYS/model")" <<<"$output"
	grep -Fq "$(<"$CTRL_SYS/firmware_rev")" <<<"$output"
}

@test "id-ns, list-ns: the controller's namespaces" {
	on_both id-ns --namespace-id=1
	on_both list-ns
	echo "$output"
	[ "$(grep -c "]:" <<<"$output")" -eq 2 ]
}

@test "smart-log, error-log, fw-log, get-log" {
	local log
	on_both smart-log
	grep -q critical_warning <<<"$output"
	on_both error-log
	on_both fw-log
	on_both get-log --log-id=2 --log-len=512
	# Log pages that QEMU does not have (the first is telemetry): its status, and no errno
	for log in 7 0x7f; do
		output=$(fails nvme get-log "$CTRL" --log-id=$log --log-len=512)
		echo "$output"
		grep -iq "NVMe status" <<<"$output"
	done
}

@test "get-feature, set-feature: a temperature threshold" {
	on_both set-feature --feature-id=4 --value=0x160
	on_both get-feature --feature-id=4
	echo "$output"
	grep -iq "160" <<<"$output"
}

@test "get-property, show-regs: the registers, though user space may not map them" {
	on_both get-property --offset=8
	grep -q 10400 <<<"$output"
	output=$(nvme show-regs "$CTRL")
	echo "$output"
	grep -Eq "^version +: (0x)?10400" <<<"$output"
}

@test "smartctl -a -d nvme" {
	local node status
	for node in "$CTRL" "$DISK"; do
		status=0
		output=$(smartctl -a -d nvme "$node") || status=$?
		echo "$output"
		# Higher bits tell of the controller's health, and of its logs.
		[ $((status & 7)) -eq 0 ]
		grep -Eq "^Serial Number: +$SERIAL$" <<<"$output"
		grep -q "self-assessment test result: PASSED" <<<"$output"
	done
}

@test "lsblk: model, serial number and transport" {
	output=$(lsblk -dno MODEL,SERIAL,TRAN "$DISK")
	echo "$output"
	[[ $output == *"$(<"$CTRL_SYS/model")"*"$SERIAL"*nvme* ]]
}

# page_commands: the commands that the page shows, each in a line.
page_commands() {
	sed -En 's/^  ((nvme|smartctl|lsblk) .*)/\1/p' nvme_cmb.rst
}

@test "every command that the page shows, on both nodes" {
	local command node status count=0
	while IFS= read -r command; do
		for node in "$CTRL" "$DISK"; do
			# nvme-cli 2.16 takes a character device only.
			[[ $command != *show-regs* || $node = "$CTRL" ]] || continue
			status=0
			output=$(eval "${command//$CTRL/$node}" 2>&1) || status=$?
			# Higher bits of smartctl's status tell of the controller's health.
			[[ $command != smartctl* ]] || status=$((status & 7))
			[ $status -eq 0 ] || { echo "${command//$CTRL/$node}: $output"; return 1; }
		done
		count=$((count + 1))
	done < <(page_commands)
	note "$count commands"
	[ $count -ge 13 ]
}

@test "32-bit code gets the same answer" {
	local node
	for node in "$CTRL" "$DISK"; do
		[[ $(tests/identify "$node" ioctl) == "0x0 $SERIAL "* ]]
		[[ $(tests/identify "$node" ioctl32) == "0x0 $SERIAL "* ]]
	done
}

@test "io_uring's passthrough is refused" {
	[ "$(tests/identify "$CTRL" uring)" = EOPNOTSUPP ]
	# Disks take some commands since Linux 6.12. This one is none of them.
	[[ $(tests/identify "$DISK" uring) == @(EOPNOTSUPP|EINVAL) ]]
	answers "$CTRL"
}

# QEMU does not know all of these. It is the driver that refuses them.
@test "commands that would pull the floor away are refused" {
	local opcode fid
	for opcode in 0x00 0x01 0x04 0x05 0x08 0x0c 0x0d 0x10 0x11 0x15 0x18 0x19 0x1c 0x1d 0x1e \
		0x20 0x24 0x7c 0x80 0x81 0x84 0xc0 0xff; do
		refused_on_both admin-passthru --opcode=$opcode --namespace-id=$SCRATCH
	done
	# Number of Queues, Asynchronous Event Configuration and others; Property Set
	for fid in 0x03 0x05 0x07 0x08 0x09 0x0b 0x0c 0x0d 0x0f 0x16 0x81 0x84; do
		refused_on_both admin-passthru --opcode=0x09 --cdw10=$fid
	done
	refused_on_both admin-passthru --opcode=0x7f --namespace-id=0
	refused_on_both io-passthru --opcode=0x02 --namespace-id=$SCRATCH --cdw12=0
	refused_on_both flush --namespace-id=$SCRATCH
	answers "$CTRL"
	ends_hold_data "$DISK"
}

@test "ioctls that there are not: ENOTTY" {
	output=$(fails nvme reset "$CTRL")
	echo "$output"
	[[ $output == *"Inappropriate ioctl"* ]]
}

@test "lengths: the longest that the controller takes, and one byte more" {
	local mdts max
	mdts=$(nvme id-ctrl "$CTRL" | awk '$1 == "mdts" { print $3 }')
	max=$((4096 << mdts))
	[ $max -le "$MIB" ]
	# Identify is 4 KiB, however much user space has room for.
	nvme admin-passthru "$CTRL" --opcode=6 --cdw10=1 --read --data-len=$max --raw-binary |
		cmp -n 4096 - <(nvme id-ctrl "$CTRL" --raw-binary)
	nvme admin-passthru "$CTRL" --opcode=6 --cdw10=1 --read --data-len=512 --raw-binary |
		cmp - <(nvme id-ctrl "$CTRL" --raw-binary | head -c 512)
	output=$(fails nvme admin-passthru "$CTRL" --opcode=6 --cdw10=1 --read \
		--data-len=$((max + 1)))
	[[ $output == *"Invalid argument"* ]]
}

# as_nobody COMMAND...: run COMMAND without any privilege.
as_nobody() {
	setpriv --reuid=nobody --clear-groups --inh-caps=-all "$@" 2>&1
}

@test "without CAP_SYS_ADMIN: who the controller is, and no more; nothing on a partition" {
	local node
	sfdisk -q "$DISK" <<<'start=2048, size=2048'
	wait_for_disk "${DISK}p1"
	chmod a+r "$CTRL" "$DISK" "${DISK}p1"
	for node in "$CTRL" "$DISK"; do
		as_nobody nvme id-ctrl "$node" >/dev/null
		output=$(fails as_nobody nvme smart-log "$node")
		echo "$output"
		[[ $output == *"$DENIED"* ]]
		output=$(fails as_nobody nvme admin-passthru "$node" --opcode=0x80)
		[[ $output == *"$REFUSED"* ]]
	done
	output=$(fails as_nobody nvme id-ctrl "${DISK}p1")
	[[ $output == *"$DENIED"* ]]
	nvme id-ctrl "${DISK}p1" >/dev/null
	wipefs -qaf "$DISK"
}

@test "resets cancel commands, and later ones are carried out" {
	local i done=0 cancelled=0
	start_io "$DISK_NAME"
	for ((i = 0; i < $(in_full 50 10); i++)); do
		reset_function &
		if answers "$DISK"; then done=$((done + 1)); else cancelled=$((cancelled + 1)); fi
		wait $!
	done
	stop_io "$DISK_NAME"
	note "$done commands done, $cancelled cancelled, $(io_counts "$DISK_NAME")"
	[ "$(io_count "$DISK_NAME" failed_reads)" -eq 0 ]
	answers "$DISK"
}

# Without bus mastering QEMU's controller cannot read the command, and fails.
@test "a command that hangs ends after its time-out, and the disk goes on" {
	local begin=$SECONDS
	setpci -s "$(controller)" COMMAND=0:4
	output=$(fails nvme admin-passthru "$CTRL" --opcode=6 --cdw10=1 --read --data-len=4096 \
		--timeout=2000)
	echo "$output"
	[[ $output == *"timed out"* ]]
	note "it took $((SECONDS - begin)) s"
	logged "was not aborted"
	wait_for "the controller to be reset" answers "$CTRL"
	ends_hold_data "$DISK"
}

@test "an opener of the device outlives the controller" {
	exec 9<"$CTRL"
	unbind "$(controller)"
	[ ! -e "$CTRL" ]
	exec 9<&-
	bind nvme_cmb "$(controller)"
	answers "$CTRL"
}
