#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Install the packages in /mnt, and then a second kernel, in a root directory that becomes a disk.
# Those in /mnt/later are only copied. No other user than root is mapped, so that apt has none.
set -euo pipefail

readonly APT_INSTALL=(apt-get install --yes -o APT::Sandbox::User=root)

"${APT_INSTALL[@]}" /mnt/*.deb
"${APT_INSTALL[@]}" /root/second_kernel/*.deb
# The root was made without.
for kernel in /boot/vmlinuz-*[0-9]-amd64; do
	update-initramfs -c -k "${kernel#*/vmlinuz-}"
done

# The lab's command runs when the system is up.
cp /mnt/system.sh /usr/local/sbin/lab
cp /mnt/system.service /etc/systemd/system/lab.service
systemctl enable lab.service
echo nvme-cmb >/etc/hostname
[ ! -e /mnt/later ] || cp -R /mnt/later /root
