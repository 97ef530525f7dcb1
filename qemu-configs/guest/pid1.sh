#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# PID 1 of the guest, instead of systemd. It sets up /dev as Debian does, runs the one command of
# this boot on ttyS1, and writes its status to ttyS2.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
ln -sfT /proc/self/fd /dev/fd
echo "lab: the log is read from here" >/dev/kmsg
echo nvme-cmb >/proc/sys/kernel/hostname

# boot.sh lets Linux boot with one CPU.
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
	[[ ! -e $cpu ]] || echo 1 >"$cpu"
done

cd /run/lab || exit
set -a
# shellcheck source=/dev/null # written by boot.sh
. ./environment
set +a

# Move the modules to where "make modules_install" would put them, so that modprobe and udev find
# them by their aliases.
if [[ -e nvme_cmb.ko ]]; then
	mkdir -p "/lib/modules/$(uname -r)/updates"
	mv nvme_cmb*.ko "/lib/modules/$(uname -r)/updates"
	mv index/* "/lib/modules/$(uname -r)"
fi

qemu-configs/guest/udevd || exit
# Only devices that need a module, or that tests use. The 200 other ones would make the boot
# longer.
udevadm trigger --action=add --subsystem-match={pci,virtio,virtio-ports,nvme,nvme-subsystem,block}
udevadm settle

exec <>/dev/ttyS1 # a terminal loses its size when it is closed
if [[ -s terminal ]]; then
	read -ra size <terminal
	stty sane "${size[@]}"
else
	stty raw -echo
fi
echo ready >&0
# When the leader of a session ends, its terminal is hung up, and output that was not sent yet is
# lost. So the leader is a shell, in which stty waits for the output.
# shellcheck disable=SC2016 # that shell expands the variable
setsid --ctty --wait bash -c './command; status=$?; stty raw -echo; exit $status' >&0 2>&1
echo $? >/dev/ttyS2
busybox reboot -f
