#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: install_guest.sh NEXT_VERSION
#
# The guest's part of install.t, from one boot to the next. The PMR of one controller has a file
# system in /etc/fstab. The namespace of the other one has another.
set -eu # no pipefail, because pattern() writes to closed pipes

# shellcheck source=tests/lib.bash
. tests/lib.bash

readonly STAGE_FILE=/var/lib/stage
readonly PMR_MOUNT=/srv/pmr NAMESPACE_MOUNT=/srv/namespace

# How long a boot waits for the PMR: an emulated CPU takes minutes to boot. The boot without the
# controller waits for nothing.
readonly LONG_WAIT=10min SHORT_WAIT=5s

next_version=$1

# ok NAME: what the commands before it have checked
ok() {
	echo "ok - $1"
}

pmr=0000:01:00.0 # the only device behind the root port
cmb=$(controllers | head -n 1)
link=/dev/disk/by-path/pci-$pmr-pmr

next_stage() {
	echo "$1" >$STAGE_FILE
	sync
}

reboot_to() { # STAGE
	next_stage "$1"
	on_reboot reset
	systemctl reboot
	sleep infinity
}

# holds DIRECTORY SEED: the file system that is mounted there has the file that was written.
holds() {
	mountpoint -q "$1"
	cmp "$1/file" <(pattern "$2" $MIB)
}

fill() { # DIRECTORY SEED
	pattern "$2" $MIB >"$1/file"
	sync -f "$1/file"
}

# The namespace is in use in all boots.
namespace_in_use() {
	holds $NAMESPACE_MOUNT namespace
	bound nvme "$cmb"
}

in_use() {
	bound nvme_cmb "$pmr"
	holds $PMR_MOUNT pmr
	namespace_in_use
}

loaded_version() {
	cat /sys/module/nvme_cmb/version
}

# nothing_found DIRECTORY...: no file there has a name of the packages.
nothing_found() {
	local files
	files=$(find "$@" -xdev -name '*nvme[-_]cmb*')
	echo "$files"
	[ ! "$files" ]
}

stage_installed() {
	local module
	case $(uname -r) in
	*-cloud-amd64) echo "not the generic kernel"; exit 1 ;;
	esac
	[[ $(modinfo -n nvme) == /* ]]
	module=$(modinfo -n nvme_cmb)
	[[ $module == "/lib/modules/$(uname -r)/updates/dkms/nvme_cmb.ko"* ]]
	modinfo nvme_cmb_pmem >/dev/null
	[ "$(modinfo -F signer nvme_cmb)" = "DKMS module signing key" ]
	ok "DKMS has built and signed both modules for $(uname -r), as $(basename "$module")"

	bound nvme "$cmb"
	bound nvme "$pmr"
	ok "the stock driver is loaded first, and has both controllers"

	mkdir -p $NAMESPACE_MOUNT $PMR_MOUNT
	mkfs.ext4 -q -L namespace /dev/nvme0n1
	echo "LABEL=namespace $NAMESPACE_MOUNT ext4 defaults 0 2" >>/etc/fstab
	systemctl daemon-reload
	mount $NAMESPACE_MOUNT
	fill $NAMESPACE_MOUNT namespace
	fails nvme-cmb bind --yes "$cmb" | grep -F "is mounted on $NAMESPACE_MOUNT"
	namespace_in_use
	ok "a controller with a mounted namespace is refused"

	modprobe -r nvme_cmb
	unbind "$pmr"
	modprobe nvme_cmb
	wait_for_disk /dev/nvme_pmr0
	[ "$(realpath "$link")" = /dev/nvme_pmr0 ]
	ok "modprobe makes a disk of a controller without a driver"
	nvme-cmb unbind --yes "$pmr"
	bound nvme "$pmr"
	nvme-cmb bind --yes "$pmr"
	[ -b "$link" ]
	ok "nvme-cmb unbind and bind"

	mkfs.ext4 -q -F "$link"
	echo "$link $PMR_MOUNT ext4 nofail,x-systemd.device-timeout=$LONG_WAIT 0 2" >>/etc/fstab
	systemctl daemon-reload
	systemctl enable "nvme-cmb@$pmr"
	mount $PMR_MOUNT
	fill $PMR_MOUNT pmr
	reboot_to rebooted
}

stage_rebooted() {
	in_use
	ok "after a reboot the controller is bound, and the file systems are mounted"
	umount $PMR_MOUNT
	unplug_device nvme0 "$pmr"
	sed -i "s/=$LONG_WAIT/=$SHORT_WAIT/" /etc/fstab
	reboot_to without
}

stage_without() {
	[ ! -e "$SYS_PCI/devices/$pmr" ]
	fails mountpoint $PMR_MOUNT
	namespace_in_use
	ok "without the controller the system boots, too"
	sed -i "s/=$SHORT_WAIT/=$LONG_WAIT/" /etc/fstab
	wait_for "QEMU to plug it in" qmp device_add '{"driver": "nvme", "id": "nvme0", "serial": "pmr",
		"bus": "root_port0", "pmrdev": "pmr0"}'
	reboot_to again
}

# An upgrade compiles the modules for two kernels on emulated CPUs.
upgrade() {
	apt-get install --yes /root/later/*.deb
	in_use
	fails [ "$(loaded_version)" = "$next_version" ]
	[ "$(modinfo -F version nvme_cmb)" = "$next_version" ]
	echo more >$PMR_MOUNT/more
	sync -f $PMR_MOUNT/more
	ok "an upgrade leaves a mounted disk alone"
	umount $PMR_MOUNT
	modprobe -r nvme_cmb
	modprobe nvme_cmb
	[ "$(loaded_version)" = "$next_version" ]
	wait_for_disk "$link"
	mountpoint -q $PMR_MOUNT || mount $PMR_MOUNT
	in_use
	ok "the next modprobe loads the new version"
}

stage_again() {
	in_use
	ok "with the controller again, they are mounted again"
	[ -z "$FULL" ] || upgrade
	next_stage second_kernel
	kexec --load /boot/vmlinuz-*-cloud-amd64 --initrd="$(echo /boot/initrd.img-*-cloud-amd64)" \
		--reuse-cmdline
	systemctl kexec
	sleep infinity
}

stage_second_kernel() {
	case $(uname -r) in
	*-cloud-amd64) ;;
	*) echo "not the second kernel"; exit 1 ;;
	esac
	[[ $(modinfo -n nvme) == '(builtin)' ]]
	in_use
	[ -z "$FULL" ] || [ "$(loaded_version)" = "$next_version" ]
	ok "DKMS has built $(basename "$(modinfo -n nvme_cmb)") for $(uname -r), installed later, too"

	apt-get remove --yes nvme-cmb-dkms nvme-cmb-utils
	in_use
	nothing_found /usr/lib/modules /usr/src /usr/lib/udev /usr/sbin
	fails modinfo nvme_cmb
	ok "a removal leaves a mounted disk alone, but no module"
	umount $PMR_MOUNT
	rmmod nvme_cmb # modprobe would look for its file
	apt-get purge --yes nvme-cmb-dkms nvme-cmb-utils
	# The copies of the next version are the test's own.
	rm -r /root/later
	nothing_found /
	fails grep -rl 'nvme_cmb' /usr/lib/modules/*/modules.* /etc/{modprobe.d,systemd,udev}
	ok "a purge leaves nothing"
}

# Mounts with nofail, and a device that does not come, may take longer than the rest of the boot.
state=$(systemctl is-system-running --wait) || true
echo "# systemd: $state"
stage=installed
[ ! -e $STAGE_FILE ] || stage=$(<$STAGE_FILE)
trap 'echo "failed: $stage, line $LINENO: $BASH_COMMAND"' ERR
set -E
"stage_$stage"
