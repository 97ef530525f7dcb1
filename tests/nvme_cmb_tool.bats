#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The program nvme-cmb. It binds a controller and gives it back, refuses one that is in use, asks
# before disks vanish, and changes nothing if it says no. The udev rules beside it make links.
# no_cmb.bats has the case of a controller that nvme_cmb declines.
#
# config: cmb cmb-pmr

load lib.bash

NAMESPACE=/dev/nvme0n1
readonly HOST_BRIDGE=0000:00:00.0
readonly NQN=nqn.2014-08.org.nvmexpress:uuid:0b3e4f0c-5d5f-4f6e-8d4f-3f0c7e0d9a10
readonly NVMET=/sys/kernel/config/nvmet

# The test begins as on a machine where nobody has used the program yet.
setup_file() {
	install_udev_rules
	wait_for_disk $NAMESPACE
	fill_namespace
}

fill_namespace() {
	pattern namespace "$MIB" | dd of=$NAMESPACE bs=64k oflag=direct iflag=fullblock status=none
}

tool() {
	utils/nvme-cmb "$@"
}

override() {
	cat "$SYS_PCI/devices/$(controller)/driver_override"
}

no_override() {
	[ "$(override)" = "(null)" ]
}

# refuses TEXT COMMAND...: the program fails with the status 1 and with TEXT. The controller still
# has its driver.
refuses() {
	local text=$1 driver
	shift
	driver=$(readlink "$SYS_PCI/devices/$(controller)/driver")
	run tool "$@"
	echo "$output"
	[ "$status" -eq 1 ]
	grep -F -- "$text" <<<"$output"
	[ "$(readlink "$SYS_PCI/devices/$(controller)/driver")" = "$driver" ]
}

namespace_holds() {
	wait_for_disk $NAMESPACE
	cmp -n "$MIB" <(pattern namespace "$MIB") $NAMESPACE
}

@test "wrong usage has the status 2, and shows the usage" {
	local arguments
	for arguments in '' frobnicate bind 'unbind --yes' 'list nvme0' 'bind nvme0 nvme1' \
		'bind --force nvme0' 'export nvme_cmb0' 'unexport' 'list --port'; do
		# shellcheck disable=SC2086 # these are several arguments
		run tool $arguments
		echo "$arguments: $output"
		[ "$status" -eq 2 ]
		grep -F "Usage: nvme-cmb list" <<<"$output"
	done
	tool --help | grep -F "Usage: nvme-cmb list"
}

@test "what is no controller is refused" {
	refuses "there is no controller and no disk 'nvme7'" bind nvme7
	refuses "there is no controller and no disk '0000:00:1f.7'" bind 0000:00:1f.7
	refuses "is no controller" bind /tmp
	refuses "$HOST_BRIDGE is not an NVMe controller" bind $HOST_BRIDGE
	refuses "is not an NVMe controller" bind /dev/vda
	refuses "is not bound to nvme_cmb, but to nvme" unbind "$(controller)"
	no_override
}

@test "list shows the controller, its driver and its disk" {
	tool list | grep -xE "$(controller) +1b36:0010 +nvme +nvme0n1"
}

@test "bind --dry-run shows the commands, and changes nothing" {
	local dev
	dev=$SYS_PCI/devices/$(controller)
	run tool bind --dry-run nvme0
	echo "$output"
	[ "$status" -eq 0 ]
	grep -xF "These disks vanish: nvme0n1" <<<"$output"
	[ "$(grep -F -A 2 "echo nvme_cmb" <<<"$output")" = "echo nvme_cmb > $dev/driver_override
echo $(controller) > $dev/driver/unbind
echo $(controller) > $SYS_PCI/drivers_probe" ]
	bound nvme "$(controller)"
	no_override
	namespace_holds
}

@test "without yes for an answer, nothing is changed" {
	refuses "nothing was changed" bind nvme0 <<<n
	refuses "nothing was changed" bind nvme0 <<<""
	refuses "nothing was changed" bind nvme0 </dev/null
	no_override
	namespace_holds
}

@test "a loop device and a device-mapper device are named" {
	local loop
	modprobe loop
	loop=$(losetup --find --show $NAMESPACE)
	refuses "$NAMESPACE is used by ${loop#/dev/}" bind --yes nvme0
	losetup --detach "$loop"
	dmsetup create above --table "0 8 linear $NAMESPACE 0"
	refuses "$NAMESPACE is used by /dev/mapper/above (dm-" bind --yes nvme0
	settle
	dmsetup remove --retry above
	namespace_holds
}

@test "a mounted partition, swap space and an open disk are named" {
	local mnt="$BATS_TEST_TMPDIR/a mount"
	mkdir "$mnt"
	printf '%s\n' "label: gpt" "size=32MiB" "size=16MiB" |
		sfdisk --quiet --lock --wipe always $NAMESPACE
	settle
	mkfs.ext4 -q -F ${NAMESPACE}p1
	mount ${NAMESPACE}p1 "$mnt"
	mkswap ${NAMESPACE}p2
	swapon ${NAMESPACE}p2
	refuses "${NAMESPACE}p1 is mounted on $mnt" bind --yes nvme0
	refuses "${NAMESPACE}p2 is used as swap space" bind --yes $NAMESPACE
	refuses "${NAMESPACE}p1 is mounted on $mnt" bind --dry-run "$(controller)"
	swapoff ${NAMESPACE}p2
	umount "$mnt"
	exec 9<${NAMESPACE}p2
	refuses "${NAMESPACE}p2 is open in " bind --yes nvme0
	exec 9<&-
	sfdisk --quiet --lock --delete $NAMESPACE
	settle
	wipefs --quiet --all --lock $NAMESPACE
	fill_namespace
}

# unshare gives the mount a name space of its own. So it is in no list that the program reads.
@test "a mount that cannot be seen is found" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	mkfs.ext4 -q -F $NAMESPACE
	# shellcheck disable=SC2016 # the new shell expands its arguments
	unshare --mount bash -c 'mount "$0" "$1" && touch "$2" && exec sleep infinity' \
		$NAMESPACE "$mnt" "$BATS_TEST_TMPDIR/mounted" 3>&- &
	background["mount"]=$!
	wait_for "the mount" test -e "$BATS_TEST_TMPDIR/mounted"
	fails grep $NAMESPACE /proc/self/mountinfo
	refuses "$NAMESPACE is used by the kernel" bind --yes nvme0
	kill "${background[mount]}"
	wait "${background[mount]}" || true
	unset "background[mount]"
	# The mount ends a little later than the process.
	wait_for "the end of the mount" wipefs --quiet --all $NAMESPACE
	fill_namespace
}

@test "bind asks, and binds after yes" {
	run tool bind nvme0 <<<y
	echo "$output"
	[ "$status" -eq 0 ]
	grep -F "These disks vanish: nvme0n1" <<<"$output"
	grep -E "^$(controller) .* nvme_cmb .*$DISK_NAME" <<<"$output"
	bound nvme_cmb "$(controller)"
	[ "$(override)" = nvme_cmb ]
	[ ! -e $NAMESPACE ]
	ends_hold_data "$DISK"
}

@test "bind says so if it has nothing to do" {
	tool bind "$(controller)" | grep -F "is bound to nvme_cmb already"
	bound nvme_cmb "$(controller)"
}

@test "the disk and its partitions have links" {
	local link
	link=/dev/disk/by-path/pci-$(controller)-$KIND
	[ "$(realpath "$link")" = "$DISK" ]
	if [ "$CONFIG" = cmb-pmr ]; then
		[ "$(realpath "/dev/disk/by-path/pci-$(controller)-pmr")" = "$PMR" ]
	fi
	printf '%s\n' "label: gpt" "size=4MiB" | sfdisk --quiet --lock --wipe always "$DISK"
	settle
	[ "$(realpath "$link-part1")" = "${DISK}p1" ]
	sfdisk --quiet --lock --delete "$DISK"
	settle
	[ ! -e "$link-part1" ]
}

@test "the override keeps the controller for nvme_cmb when the module is loaded again" {
	modprobe -r nvme_cmb
	controller >"$SYS_PCI/drivers_probe" || true
	fails bound nvme "$(controller)"
	modprobe nvme_cmb
	bound nvme_cmb "$(controller)"
	wait_for_disk "$DISK"
}

@test "unbind refuses a mounted disk" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	mkfs.ext4 -q -F "$DISK"
	mount "$DISK" "$mnt"
	refuses "$DISK is mounted on $mnt" unbind --yes "$DISK"
	umount "$mnt"
	wipefs --quiet --all "$DISK"
}

@test "export refuses a disk that is in use, and what is no disk of nvme_cmb" {
	local mnt=$BATS_TEST_TMPDIR/mnt
	mkdir "$mnt"
	refuses "is not a disk of nvme_cmb" export --nqn "$NQN" /dev/vda 127.0.0.1
	refuses "there is no disk" export --nqn "$NQN" nvme_cmb7 127.0.0.1
	refuses "is not exported" unexport "$DISK"
	mkfs.ext4 -q -F "$DISK"
	mount "$DISK" "$mnt"
	refuses "$DISK is mounted on $mnt" export --nqn "$NQN" "$DISK" 127.0.0.1
	umount "$mnt"
	wipefs --quiet --all "$DISK"
	[ -z "$(ls $NVMET/subsystems)" ]
}

@test "export --dry-run shows the commands, and changes nothing" {
	run tool export --dry-run --nqn "$NQN" "$DISK" 127.0.0.1
	echo "$output"
	[ "$status" -eq 0 ]
	grep -xF "mkdir $NVMET/subsystems/$NQN" <<<"$output"
	grep -xF "echo $DISK > $NVMET/subsystems/$NQN/namespaces/1/device_path" <<<"$output"
	grep -xF "echo 127.0.0.1 > $NVMET/ports/1/addr_traddr" <<<"$output"
	[ -z "$(ls $NVMET/subsystems)" ]
}

@test "an exported disk keeps its controller, and unexport leaves nothing" {
	busybox ip link set lo up
	tool export --nqn "$NQN" "$DISK" 127.0.0.1 |
		grep -F "nvme connect --transport tcp --traddr 127.0.0.1 --trsvcid 4420 --nqn $NQN"
	[ "$(<"$NVMET/subsystems/$NQN/namespaces/1/enable")" -eq 1 ]
	refuses "$DISK is exported by the NVMe target $NQN" unbind --yes "$DISK"
	tool export --port 4421 "$DISK" 127.0.0.1
	[ "$(find $NVMET/ports/*/subsystems -name "$NQN" | wc -l)" -eq 2 ]
	tool unexport "$DISK"
	[ -z "$(find $NVMET/subsystems $NVMET/ports -mindepth 1)" ]
}

@test "unbind asks, and gives the controller back after yes" {
	refuses "nothing was changed" unbind "$DISK" <<<n
	run tool unbind "$DISK" <<<yes
	echo "$output"
	[ "$status" -eq 0 ]
	grep -F "These disks vanish: " <<<"$output" | grep -F "$DISK_NAME"
	bound nvme "$(controller)"
	no_override
	[ ! -e "$DISK" ]
	[ ! -e "/dev/disk/by-path/pci-$(controller)-$KIND" ]
	namespace_holds
}

@test "back and forth by each name that a controller has" {
	local name
	for name in nvme0 /dev/nvme0 nvme0n1 $NAMESPACE "$(controller)" "$(controller | cut -d: -f2-)"; do
		wait_for_disk $NAMESPACE
		tool bind --yes "$name" </dev/null
		bound nvme_cmb "$(controller)"
		tool unbind --yes "$DISK" </dev/null
		bound nvme "$(controller)"
	done
	namespace_holds
}

@test "a controller without a driver is bound, and nothing is asked" {
	unbind "$(controller)"
	tool list | grep -xE "$(controller) +1b36:0010 +- +-"
	tool bind "$(controller)" </dev/null
	bound nvme_cmb "$(controller)"
	tool unbind --yes "$(controller)"
	bound nvme "$(controller)"
}

@test "a user who is not root may list, and is told so otherwise" {
	local as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${as_nobody[@]}" utils/nvme-cmb list | grep -F "$(controller)"
	run "${as_nobody[@]}" utils/nvme-cmb bind --yes nvme0
	echo "$output"
	[ "$status" -eq 1 ]
	grep -F "'bind' is for root only" <<<"$output"
	bound nvme "$(controller)"
}
