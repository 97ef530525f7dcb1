#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian for the lab: root directories that hold compilers, kernels and headers;
# the guest's disk; a kernel with its initramfs and modules; the module nvme_cmb
# built for it; and the programs that run in the guest. No step needs root. Everything
# but the module and the programs is kept in a cache outside the checkout and made only
# once.

# shellcheck source=qemu-configs/lib.sh
. "${BASH_SOURCE%/*}/lib.sh"

usage() {
	cat <<'EOF'
Usage: debian.sh COMMAND
  roots KERNEL...           make the root directories of KERNELs, beside one another
  module KERNEL [ARG...]    build nvme_cmb.ko for KERNEL in build/, where ARG is for make,
                            and the guest's programs
  system SUITE DIRECTORY    make a disk with a system of SUITE, bookworm or sid, in build/SUITE,
                            where the packages in DIRECTORY are installed
  clean-cache               remove the cache
KERNEL is 6.1, 6.12, sid, 6.12-debug or 6.12-rt. NVME_CMB_CACHE names another cache
directory.
EOF
}

checkout=$(cd "${BASH_SOURCE%/*}/.." && pwd)
cache=${NVME_CMB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nvme_cmb}

kernel_packages=(linux-{image,headers}-cloud-amd64)
rt_packages=(linux-{image,headers}-6.12-rt-amd64)
headers_packages=(linux-headers-{,rt-}amd64)
source_packages=(linux-source-6.12 bc bison flex libelf-dev kmod xz-utils)
build_packages=(gcc make sparse)
user_packages=(
	systemd udev kmod busybox-static mount util-linux fdisk procps pciutils dmsetup
	nvme-cli smartmontools ndctl fio e2fsprogs xfsprogs btrfs-progs
	bats jq xz-utils libc6-dev
	drbd-utils zstd
)
# A system of its own, which installs the packages of nvme_cmb: the generic kernel, whose nvme is
# a module, and what a system has by default.
system_packages=(
	linux-{image,headers}-amd64 initramfs-tools dkms openssl kexec-tools
	systemd-sysv udev kmod pciutils e2fsprogs bash-completion jq
)

# --- the cache ---------------------------------------------------------------

# An item's name ends in a hash of its recipe: the function that makes it, those
# whose names begin with that one's, those that recipes share, and its arguments. So a
# changed recipe makes a new item.
item() { # NAME RECIPE ARG...
	local functions hash
	mapfile -t functions < <(compgen -A function "$2")
	functions+=(as_root mmdebstrap_tar make_root pack_initramfs)
	hash=$({ declare -f "${functions[@]}"; printf '%s\n' "${@:3}"; } | sha256sum)
	echo "$cache/$1-${hash:0:12}"
}

# Make an item unless it is there. It appears by a rename, all or nothing.
provide() { # NAME RECIPE ARG...
	local name=$1 recipe=$2 item lock
	item=$(item "$@")
	[[ ! -e $item ]] || return 0
	mkdir -p "$cache"
	exec {lock}>"$item.lock"
	flock "$lock"
	if [[ ! -e $item ]]; then
		rm -rf "$item.part"
		phase "Making $name" "$recipe" "$item.part" "${@:3}"
		mv "$item.part" "$item"
	fi
	exec {lock}>&-
}

# need_to_make COMMAND...: for recipes, which begin with a tar of Debian.
need_to_make() {
	need mmdebstrap flock xz "$@"
	((EUID == 0)) || need newuidmap
}

# --- recipes -----------------------------------------------------------------

# Call FUNCTION as root of a name space of its own, where it may mount, and sees our files
# as root's. The new shell knows no functions: it gets this one's text, and so FUNCTION
# calls no other.
as_root() { # FUNCTION ARG...
	unshare --map-root-user --mount -- \
		bash -euo pipefail -c "$(declare -f "$1")"$'\n''"$@"' bash "$@"
}

# A tar of Debian, because only that comes out the same for root and others. PACKAGES are
# separated by commas.
mmdebstrap_tar() { # SUITE VARIANT PACKAGES [OPTION...]
	# how this host reaches its mirror, and what it lets an old mirror get away with
	apt-config dump | grep -E '^Acquire::((https?|ftp)::(.*::)?Proxy|Check-(Valid-Until|Date)) ' \
		>"$cache/apt.conf" || true
	INITRD=No mmdebstrap --variant="$2" --aptopt="$cache/apt.conf" \
		--include="$3" "${@:4}" "$1" -
}

make_root() { # DIRECTORY SUITE PACKAGES [OPTION...]
	mkdir "$1"
	mmdebstrap_tar "$2" minbase "${@:3}" |
		tar -x -C "$1" --no-same-owner -p --exclude='./dev/*'
}

# A root that is only for compiling. PACKAGES come from backports if the suite is one of
# those. Backports have an archive of their own, which is added to that of their suite.
make_headers_root() { # DIRECTORY SUITE PACKAGES
	local suite=${2%-backports} headers=$3 options=()
	if [[ $suite != "$2" ]]; then
		headers=${headers//,//$2,}/$2
		options=(--setup-hook="cd \"\$1\"/etc/apt && sed -n 's/ $suite / $2 /p' sources.list >sources.list.d/backports.list")
	fi
	make_root "$1" "$suite" "$headers,gcc,make,perl" "${options[@]}"
}

# A root whose kernel is no package, but lies where a package would have put it.
# FRAGMENT is what the kernel has beyond tinyconfig.
make_debug_root() { # DIRECTORY FRAGMENT SUITE PACKAGES
	make_root "$1" "${@:3}"
	as_root make_debug_root_kernel "$1" "$2"
}

make_debug_root_kernel() { # ROOT FRAGMENT
	local root=$1 source=/usr/src/linux dir refused release
	in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"; }
	for dir in dev proc; do
		mount --rbind "/$dir" "$root/$dir"
	done

	mkdir "$root$source"
	tar -xf "$root"/usr/src/linux-source-*.tar.xz -C "$root$source" --strip-components=1
	echo "$2" >"$root$source/kernel/configs/fragment.config"
	in_root make -C "$source" tinyconfig fragment.config
	# what depends on something else that is not set is dropped in silence
	refused=$(grep -E '^(# )?CONFIG_[^ ]*(=| is not set)' <<<"$2" | grep -vxFf "$root$source/.config") || true
	[[ ! $refused ]] || { printf 'this kernel cannot have:\n%s\n' "$refused"; exit 1; }

	in_root make -C "$source" -s -j"$(nproc)" bzImage modules
	in_root make -C "$source" -s modules_install
	release=$(<"$root$source/include/config/kernel.release")
	cp "$root$source/arch/x86/boot/bzImage" "$root/boot/vmlinuz-$release"
	cp "$root$source/.config" "$root/boot/config-$release"
	in_root make -C "$source" run-command \
		KBUILD_RUN_COMMAND="$source/scripts/package/install-extmod-build /usr/src/headers"
	ln -sfT /usr/src/headers "$root/usr/lib/modules/$release/build"
	rm -r "$root$source" "$root"/usr/src/linux-source-*
}

make_disk() { # FILE ROOT
	as_root make_disk_of_mounts "$@"
}

# What the guest has no use for is mounted over, and so left out
make_disk_of_mounts() { # FILE ROOT
	local dir
	for dir in boot usr/src usr/lib/modules; do
		mount -t tmpfs tmpfs "$2/$dir"
	done
	mke2fs -q -t ext4 -O ^has_journal -L root -d "$2" "$1" 1500M
}

make_kernel() { # DIRECTORY ROOT RELEASE BUSYBOX
	local directory=$1 root=$2 release=$3 busybox=$4 modules=$2/usr/lib/modules/$3 module n=0 size
	mkdir -p "$directory/initramfs/modules"
	cp "$root/boot/vmlinuz-$release" "$directory/vmlinuz"

	# only what it takes to mount the disk, numbered in the order of insmod
	cp "$busybox" "$directory/initramfs/busybox"
	modprobe -d "$root" -S "$release" --show-depends -a virtio_pci virtio_blk ext4 |
		sed -n 's/^insmod //p' | awk '!seen[$1]++' | while read -r module; do
			if [[ $module == *.xz ]]; then xz -dc "$module"; else cat "$module"; fi \
				>"$directory/initramfs/modules/$((++n)).ko"
		done
	pack_initramfs "$directory/initramfs" >"$directory/initramfs.cpio"
	rm -r "$directory/initramfs"

	size=$(du -sk "$modules" | cut -f1)
	mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -L modules -d "$modules" \
		"$directory/modules.img" $((size * 5 / 4 + 8192))
}

# A disk with a system in which the packages were installed, and a second kernel after them, as in
# a system that gets an update.
make_system() { # DIRECTORY ROOT
	local directory=$1 root=$1/root dir
	cp -a "$2" "$root"
	for dir in dev proc; do
		mount --rbind "/$dir" "$root/$dir"
	done
	mount --bind "$directory/packages" "$root/mnt"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
		chroot "$root" bash -x /mnt/install.sh
	for dir in mnt proc dev; do
		umount -l "$root/$dir"
	done
	cp "$root"/boot/vmlinuz-*[0-9]-amd64 "$directory/vmlinuz"
	cp "$root"/boot/initrd.img-*[0-9]-amd64 "$directory/initrd"
	mke2fs -q -t ext4 -L root -d "$root" "$directory/disk" 3G
	rm -rf "$root"
}

pack_initramfs() { # DIRECTORY
	(cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet)
}

# --- kernels -----------------------------------------------------------------

# The debug kernel's fragment, below the version of its source, as far as this host's
# apt knows it: either makes another kernel.
debug_fragment() {
	echo "# linux-source-6.12 $(apt-cache show --no-all-versions linux-source-6.12 2>/dev/null |
		sed -n 's/^Version: //p')"
	cat "$checkout/qemu-configs/debug.config"
}

# Set recipe to that of the root where KERNEL is, and all it takes to build modules for it.
set_root_recipe() { # KERNEL
	case $1 in
	6.1 | 6.12)
		recipe=(root-bookworm make_root bookworm
			"$(comma "${kernel_packages[@]}" linux-{image,headers}-6.12-cloud-amd64 \
				"${build_packages[@]}" "${user_packages[@]}")")
		;;
	sid)
		recipe=(root-sid make_root sid
			"$(comma "${kernel_packages[@]}" "${build_packages[@]}" "${user_packages[@]}")")
		;;
	6.12-rt)
		recipe=(root-rt make_root bookworm "$(comma "${rt_packages[@]}" "${build_packages[@]}")")
		;;
	6.12-debug)
		recipe=(root-debug make_debug_root "$(debug_fragment)"
			bookworm "$(comma "${source_packages[@]}" "${build_packages[@]}")")
		;;
	headers-bookworm)
		recipe=("root-$1" make_headers_root bookworm
			"$(comma "${headers_packages[@]}" linux-headers-6.12-{,rt-}amd64)")
		;;
	system-bookworm)
		set_system_recipe bookworm linux-{image,headers}-6.12-cloud-amd64
		;;
	system-sid)
		set_system_recipe sid linux-{image,headers}-cloud-amd64
		;;
	headers-*)
		recipe=("root-$1" make_headers_root "${1#headers-}" "$(comma "${headers_packages[@]}")")
		;;
	*)
		die "no kernel '$1': choose 6.1, 6.12, sid, 6.12-debug or 6.12-rt"
		;;
	esac
}

# The PACKAGES of a second kernel are in /root/second_kernel, not installed.
set_system_recipe() { # SUITE PACKAGE...
	# shellcheck disable=SC2016 # the hook's shell expands $1
	local hook='chroot "$1" sh -euc "
		apt-get clean
		apt-get install --yes --download-only '${*:2}'
		mkdir /root/second_kernel
		mv /var/cache/apt/archives/*.deb /root/second_kernel"'
	recipe=("root-system-$1" make_root "$1" "$(comma "${system_packages[@]}")" "--customize-hook=$hook")
}

comma() { # WORD...
	local IFS=,
	echo "$*"
}

# Make the roots that are not there, beside one another: to unpack Debian keeps but one
# CPU busy.
provide_roots() { # KERNEL...
	local name
	local -A missing=()
	for name; do
		set_root_recipe "$name"
		[[ -e $(item "${recipe[@]}") ]] || missing[${recipe[0]#root-}]=$name
	done
	((!${#missing[@]})) || phase "Making roots: ${!missing[*]}" provide_beside "${missing[@]}"
}

provide_beside() { # KERNEL...
	local name making=() status=0
	progress=1 # what they have to say is this phase's
	for name; do
		set_root_recipe "$name"
		provide "${recipe[@]}" &
		making+=($!)
	done
	for name in "${making[@]}"; do
		wait "$name" || status=$?
	done
	return "$status"
}

# Set what the commands, and who sources this file, need to know of a kernel: root,
# release, the guest's own root user_land, where its programs are built, and the items disk and
# kernel, all made if need be.
# shellcheck disable=SC2034
use_kernel() { # KERNEL
	local wanted busybox
	need_to_make mke2fs cpio modprobe
	set_root_recipe "$1" # or there is no such kernel
	wanted=("${recipe[@]}")

	# These two have the guest's user land, too: Debian 12's, or sid's for sid's kernel.
	case $1 in sid) set_root_recipe sid ;; *) set_root_recipe 6.12 ;; esac
	provide "${recipe[@]}"
	user_land=$(item "${recipe[@]}")
	programs=$checkout/build/programs/${recipe[0]#root-}
	busybox=$user_land/bin/busybox
	recipe=(disk make_disk "$user_land")
	provide "${recipe[@]}"
	disk=$(item "${recipe[@]}")

	provide "${wanted[@]}"
	root=$(item "${wanted[@]}")
	release=$(cd "$root/usr/lib/modules" && case $1 in 6.1 | 6.12) echo ./"$1".* ;; *) echo ./* ;; esac)
	release=${release#./}
	recipe=("kernel-$1" make_kernel "$root" "$release" "$busybox")
	provide "${recipe[@]}"
	kernel=$(item "${recipe[@]}")
}

# Build in a copy of the sources, so that kernels share no objects, nor those of a
# plain "make". Times are kept, so that make sees what changed.
compile_module() { # ARG...
	local build=$checkout/build/$release
	mkdir -p "$build"
	cp -p "$checkout/Kbuild" "$build"
	(cd "$checkout" && find driver -name '*.[ch]' | cpio -pdmu --quiet "$build")
	as_root build_in_root "$root" "$build" -C "/lib/modules/$release/build" M=/mnt \
		CONFIG_NVME_CMB_KUNIT_TEST=m "$@"
}

build_module() { # ARG...
	local build=$checkout/build/$release
	compile_module "$@" modules
	[[ -e $build/index && ! $(find "$build"/*.ko -newer "$build/index") ]] ||
		as_root index_module "$root" "$release" "$build"
}

# Build the programs that run in the guest, for its libc, in a copy of the checkout's
# directories. Each is one file, which make knows how to build without a makefile.
build_programs() {
	local sources
	mkdir -p "$programs"
	mapfile -t sources < <(cd "$checkout" && find tests qemu-configs/guest -name '*.c')
	(cd "$checkout" && cp -p --parents "${sources[@]}" "$programs")
	as_root build_in_root "$user_land" "$programs" -C /mnt CFLAGS='-O2 -Wall -Wextra -Werror' \
		"${sources[@]%.c}"
}

build_all() { # ARG...
	build_module "$@"
	build_programs
}

# BUILD is /mnt there.
build_in_root() { # ROOT BUILD ARG...
	local root=$1 build=$2 dir
	shift 2
	for dir in dev proc; do
		mount --rbind "/$dir" "$root/$dir"
	done
	mount --bind "$build" "$root/mnt"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" \
		make -j"$(nproc)" "$@"
}

# depmod reads every module, so it is run here and not in an emulated guest: for a
# modules directory with nvme_cmb.ko among the updates, and nvme_cmb_kunit.ko where
# the kernel has KUnit.
index_module() { # ROOT RELEASE BUILD
	local modules=$1/usr/lib/modules/$2 tree=$1/tmp/lib/modules/$2
	mount -t tmpfs tmpfs "$1/tmp"
	ln -s . "$1/tmp/usr" # sid's depmod looks in usr/lib
	mkdir -p "$tree"/{kernel,updates}
	cp "$modules"/modules.{order,builtin*} "$tree"
	mount --bind "$modules/kernel" "$tree/kernel"
	cp "$3"/nvme_cmb*.ko "$tree/updates"
	chroot "$1" /sbin/depmod -b /tmp "$2"
	mkdir -p "$3/index"
	cp "$tree"/modules.* "$3/index"
	touch "$3/index"
}

build_system() { # SUITE DIRECTORY
	local directory=$checkout/build/$1
	need_to_make mke2fs
	set_root_recipe "system-$1"
	provide "${recipe[@]}"
	rm -rf "$directory"
	mkdir -p "$directory"
	cp -R "$2" "$directory/packages"
	cp "$checkout/qemu-configs/guest"/{install.sh,system.sh,system.service} "$directory/packages"
	phase "Installing ($1)" as_root make_system "$directory" "$(item "${recipe[@]}")"
}

main() {
	case ${1-} in
	roots)
		need_to_make
		provide_roots "${@:2}"
		;;
	module)
		use_kernel "${2-}"
		phase "Building ($2)" build_all "${@:3}"
		;;
	system)
		build_system "${@:2}"
		;;
	clean-cache)
		rm -rf "$cache"
		;;
	-h | --help | help)
		usage
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
}

# boot.sh and lint.sh source this file for its functions
[[ $0 != "${BASH_SOURCE[0]}" ]] || main "$@"
