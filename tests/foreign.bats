#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Devices that are not NVMe, and controllers whose registers hold nonsense. The driver declines
# them, and fails requests if the registers change later. To fake registers, a test moves the BAR
# of an ivshmem device over BAR 0, and writes to its memory what the driver is to read.
#
# config: foreign
# qemu: -smp 1
#
# The guest has one CPU, because QEMU 7.2 may crash if one CPU moves a BAR while another one
# accesses a device.

load lib.bash
load control.bash

# QEMU's devices, by VENDOR:DEVICE. The last is its controller with use-intel-id=on.
readonly IVSHMEM=1af4:1110 EDU=1234:11e8 E1000E=8086:10d3 PCI_TESTDEV=1b36:0005
readonly NVME_INTEL=8086:5845

# Values of registers: the lower half of QEMU's CAP, but with the shortest time-out (CAP.TO), because
# a fake controller is never ready; and CAP.CMBS and CAP.PMRS in its upper half
readonly ALL_ONES=0xffffffff
readonly QEMU_CAP=0x000107ff CAP_CMBS=0x02000000 CAP_PMRS=0x01000000
readonly CAP_CMBS_PMRS=0x03000000
readonly VS_1_3=0x00010300 VS_1_4=0x00010400
# CMBLOC: the CMB is at the beginning of BAR 2, or of BAR 4. CMBSZ: its size is 1 MiB.
readonly CMBLOC_BAR2=2 CMBLOC_BAR4=4 CMBSZ_1M=0x0000121d
# PMRCAP: QEMU's, whose PMR is flushed by a read of PMRSTS; one that is flushed by a read of
# the PMR; one without a way to flush
readonly QEMU_PMRCAP=0x01000898 PMRCAP_READ=0x01000498 PMRCAP_NO_FLUSH=0x01000098
# PMRSTS: ERR, NRDY, and the values of HSTS
readonly PMRSTS_ERR=0x001 PMRSTS_NRDY=0x100
readonly PMRSTS_NOT_RESTORED=0x200 PMRSTS_READ_ONLY=0x400
readonly PMRSTS_UNRELIABLE=0x600 PMRSTS_RESERVED=0x800

# BAR0 is the address of the registers. HOME_ADDRESS is that of the memory of ivshmem while it
# hides nothing.
setup_file() {
	modprobe nvme_cmb
	unbind "$(controller)"
	echo nvme_cmb >"$SYS_PCI/devices/$(controller)/driver_override"
	BAR0=$(bar 0 "$(controller)")
	IVSHMEM_FUNCTION=$(function_of $IVSHMEM)
	unbind "$IVSHMEM_FUNCTION"
	HOME_ADDRESS=$(bar 2 "$IVSHMEM_FUNCTION")
	export BAR0 IVSHMEM_FUNCTION HOME_ADDRESS
}

# ivshmem_at ADDRESS: move the memory of ivshmem to ADDRESS. It hides what else is mapped there.
ivshmem_at() {
	setpci -s "$IVSHMEM_FUNCTION" COMMAND=0 \
		BASE_ADDRESS_2="$(printf %x $(($1 & 0xffffffff)))" \
		BASE_ADDRESS_3="$(printf %x $(($1 >> 32)))" COMMAND=2
}

# fake OFFSET=VALUE...: fake registers with these values. All others read as 0.
fake() {
	local offset register
	ivshmem_at "$HOME_ADDRESS"
	# from CAP to CMBSTS, and from PMRCAP to PMRSTS
	for offset in {0..88..8} {3584..3592..8}; do
		busybox devmem $((HOME_ADDRESS + offset)) 64 0
	done
	for register in "$@"; do
		busybox devmem $((HOME_ADDRESS + ${register%=*})) 32 "${register#*=}"
	done
	ivshmem_at "$BAR0"
}

unfake() {
	ivshmem_at "$HOME_ADDRESS"
}

try_bind() {
	local function
	function=$(controller)
	unbind "$function"
	echo "$function" >"$SYS_PCI/drivers_probe"
	bound nvme_cmb "$function"
}

# fake_cmb OFFSET=VALUE...: fake an NVMe 1.4 controller with a CMB. OFFSETs replace its values.
fake_cmb() {
	fake "$REG_CAP=$QEMU_CAP" "$REG_CAP_HIGH=$CAP_CMBS" "$REG_VS=$VS_1_4" "$@"
}

# declines TEXT OFFSET=VALUE...: the driver declines the controller of fake_cmb, and logs TEXT.
declines() {
	local text=$1
	shift
	fake_cmb "$@"
	fails try_bind
	unfake
	logged "$text"
}

# fake_pmr OFFSET=VALUE...: fake an NVMe 1.4 controller with a PMR like QEMU's and no CMB.
# OFFSETs replace its values.
fake_pmr() {
	fake "$REG_CAP=$QEMU_CAP" "$REG_CAP_HIGH=$CAP_PMRS" "$REG_VS=$VS_1_4" \
		"$REG_PMRCAP=$QEMU_PMRCAP" "$@"
}

# declines_pmr TEXT OFFSET=VALUE...: the driver declines the PMR of fake_pmr, logs TEXT, and
# leaves the PMR disabled.
declines_pmr() {
	fake_pmr "${@:2}"
	fails try_bind
	[ $(($(register "$REG_PMRCTL"))) -eq 0 ]
	unfake
	logged "PMR declined: $1"
}

@test "devices that are not NVMe are declined, and the log says why" {
	local id function
	for id in $EDU $E1000E $PCI_TESTDEV $IVSHMEM; do
		function=$(function_of "$id")
		[ -n "$function" ]
		unbind "$function"
		echo "${id/:/ }" >"$SYS_PCI/drivers/nvme_cmb/new_id"
		echo nvme_cmb >"$SYS_PCI/devices/$function/driver_override"
		fails bind nvme_cmb "$function"
		logged "nvme_cmb $function: declined: class 0x"
		echo "${id/:/ }" >"$SYS_PCI/drivers/nvme_cmb/remove_id"
		echo >"$SYS_PCI/devices/$function/driver_override"
	done
}

@test "a controller with another id is not bound until new_id has it" {
	local function
	function=$(function_of $NVME_INTEL)
	unbind "$function"
	echo "$function" >"$SYS_PCI/drivers/nvme_cmb/bind" || true
	[ ! -e "$SYS_PCI/devices/$function/driver" ]
	echo "${NVME_INTEL/:/ }" >"$SYS_PCI/drivers/nvme_cmb/new_id"
	bound nvme_cmb "$function"
	settle
	[ "$(blockdev --getsize64 "/dev/$(disk_of "$function")")" -eq $((2 * MIB)) ]
	ends_hold_data "/dev/$(disk_of "$function")"
	echo "${NVME_INTEL/:/ }" >"$SYS_PCI/drivers/nvme_cmb/remove_id"
	unbind "$function"
	unbind "$(controller)"
}

@test "a controller whose registers read all-ones is declined" {
	declines "no controller answers, VS reads 0xffffffff" \
		"$REG_CAP=$ALL_ONES" "$REG_CAP_HIGH=$ALL_ONES" "$REG_VS=$ALL_ONES" \
		"$REG_CSTS=$ALL_ONES" "$REG_CMBLOC=$ALL_ONES" "$REG_CMBSZ=$ALL_ONES"
}

@test "a controller whose registers read all-zeros is declined" {
	declines "no controller answers, VS reads 0x00000000" \
		"$REG_CAP=0" "$REG_CAP_HIGH=0" "$REG_VS=0"
}

@test "a controller that cannot be disabled is declined" {
	# CAP.TO is 0, which the driver takes for half a second.
	declines "not disabled after 500 ms: CSTS 0x00000001" \
		"$REG_CAP=0x000107ff" "$REG_CSTS=1"
}

@test "a CMB with invalid registers is declined, and the log says which" {
	declines "CMBSZ.SZ is 0" "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=0x0000021d"
	declines "CMBSZ.SZU is reserved" "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=0x0000171d"
	declines "CMBLOC.BIR is reserved (CMBLOC 0x00000001," \
		"$REG_CMBLOC=1" "$REG_CMBSZ=$CMBSZ_1M"
	declines "CMBLOC.BIR is reserved (CMBLOC 0x00000006," \
		"$REG_CMBLOC=6" "$REG_CMBSZ=$CMBSZ_1M"
	declines "CMB declined: BIR names no memory BAR" "$REG_CMBLOC=5" "$REG_CMBSZ=$CMBSZ_1M"
	declines "CMBLOC.OFST lies on the registers in BAR 0" \
		"$REG_CMBLOC=0x1000" "$REG_CMBSZ=0x0000101d"
	declines "CMB declined: OFST lies beyond the BAR" \
		"$REG_CMBLOC=0x10002" "$REG_CMBSZ=$CMBSZ_1M"
}

@test "a CMB before NVMe 1.4 has no CMBMSC, and needs none" {
	# CAP.CMBS is 0. The CMB begins at 12 KiB, which is no multiple of 2 MiB.
	fake "$REG_CAP=$QEMU_CAP" "$REG_VS=$VS_1_3" "$REG_CMBLOC=0x3002" "$REG_CMBSZ=0x0080001d"
	try_bind
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq $((8 * MIB)) ]
	logged "nvme_cmb0: 8192 KiB in BAR 2 at offset 0x3000"
	ends_hold_data /dev/nvme_cmb0
	unbind "$(controller)"
	[ "$(busybox devmem $((BAR0 + REG_CMBMSC)))" = 0x00000000 ]
	unfake
}

@test "a CMB that is larger than its BAR is cut to it" {
	fake "$REG_CAP=$QEMU_CAP" "$REG_CAP_HIGH=$CAP_CMBS" "$REG_VS=$VS_1_4" \
		"$REG_CMBLOC=0x1002" "$REG_CMBSZ=0x0010021d"
	try_bind
	logged "nvme_cmb0: 15360 KiB in BAR 2 at offset 0x100000"
	[ "$(blockdev --getsize64 /dev/nvme_cmb0)" -eq $((15 * MIB)) ]
	ends_hold_data /dev/nvme_cmb0
	unbind "$(controller)"
	unfake
}

@test "a disk whose controller stops answering gives errors, not data" {
	local dead size=65536
	try_bind
	settle
	pattern alive $size | dd of=/dev/nvme_cmb0 bs=64k oflag=direct \
		iflag=fullblock status=none
	for dead in $ALL_ONES 0; do
		fake "$REG_VS=$dead"
		fails dd if=/dev/nvme_cmb0 bs=4k count=1 iflag=direct
		fails dd if=/dev/zero of=/dev/nvme_cmb0 bs=4k seek=$((2 * size / 4096)) count=1 \
			oflag=direct
		fails blkdiscard --offset $((2 * size)) --length 4096 /dev/nvme_cmb0
		unfake
	done
	logged "nvme_cmb0: the controller stopped answering, requests fail"
	fails logged "not as at probe"
	cmp -n $size <(pattern alive $size) /dev/nvme_cmb0
	unbind "$(controller)"
}

@test "registers that read all-ones or zero under load: errors, and no wrong byte" {
	local dead i times
	times=$(in_full 10 3)
	try_bind
	settle
	start_io nvme_cmb0
	for ((i = 0; i < times; i++)); do
		for dead in $ALL_ONES 0; do
			wait_for_io nvme_cmb0
			fake "$REG_VS=$dead"
			fails dd if=/dev/nvme_cmb0 of=/dev/null bs=4k count=1 \
				iflag=direct
			unfake
		done
	done
	stop_io nvme_cmb0
	note "$times times each: $(io_counts nvme_cmb0)"
	[ "$(io_count nvme_cmb0 failed_reads)" -gt "$times" ]
	[ "$(io_count nvme_cmb0 failed_writes)" -gt "$times" ]
	[ "$(io_count nvme_cmb0 unread)" -eq 0 ]
	unbind "$(controller)"
}

@test "a controller whose registers changed since the last check: errors, not data" {
	local other times=0
	fake_cmb "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=$CMBSZ_1M"
	try_bind
	settle
	ends_hold_data /dev/nvme_cmb0
	for other in "$REG_VS=$VS_1_3" "$REG_CMBSZ=0x0000221d" "$REG_CMBLOC=0x1002" \
		"$REG_CAP_HIGH=0x02000001"; do
		fake_cmb "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=$CMBSZ_1M" "$other"
		fails dd if=/dev/nvme_cmb0 of=/dev/null bs=4k count=1 iflag=direct
		logged_times $((++times)) \
			"nvme_cmb0: the controller's registers are not as at probe"
		fake_cmb "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=$CMBSZ_1M"
		ends_hold_data /dev/nvme_cmb0
	done
	unbind "$(controller)"
	unfake
}

@test "a PMR with invalid registers is declined, and the log says which" {
	declines_pmr "PMRCAP.BIR is reserved (PMRCAP 0x01000818," "$REG_PMRCAP=0x01000818"
	declines_pmr "PMRCAP.BIR is reserved (PMRCAP 0x010008d8," "$REG_PMRCAP=0x010008d8"
	declines_pmr "BIR names no memory BAR" "$REG_PMRCAP=0x010008b8"
	declines_pmr "PMRCAP.PMRTU is reserved" "$REG_PMRCAP=0x01000a98"
}

@test "a PMR that is not ready in time, or unreliable, is declined" {
	declines_pmr "PMRSTS.NRDY stays set" "$REG_PMRSTS=$PMRSTS_NRDY"
	declines_pmr "PMRSTS.ERR: something failed" "$REG_PMRSTS=$PMRSTS_ERR"
	declines_pmr "PMRSTS.HSTS: it has become unreliable" "$REG_PMRSTS=$PMRSTS_UNRELIABLE"
	declines_pmr "PMRSTS.HSTS is reserved" "$REG_PMRSTS=$PMRSTS_RESERVED"
}

# The PMR is enabled in QEMU's registers, which the fake ones hide.
@test "a PMR that is read-only, or not fully restored, makes a read-only disk" {
	local pmrsts
	register "$REG_PMRCTL" 32 "$ENABLED"
	fake_pmr
	try_bind
	ends_hold_data /dev/nvme_pmr0
	unbind "$(controller)"
	echo "test: $BATS_TEST_DESCRIPTION" >/dev/kmsg
	for pmrsts in $PMRSTS_NOT_RESTORED $PMRSTS_READ_ONLY; do
		fake_pmr "$REG_PMRSTS=$pmrsts"
		try_bind
		settle
		log_since_mark | grep "read-only: PMRSTS.HSTS.*$(printf 0x%08x "$pmrsts")"
		[ "$(blockdev --getro /dev/nvme_pmr0)" -eq 1 ]
		[ "$(cat /sys/block/nvme_pmr0/pmr/write_access_ps)" -eq 0 ]
		logged ", read-only"
		fails logged "written by"
		# A read-only disk has no writes to flush.
		[ "$(cat /sys/block/nvme_pmr0/queue/write_cache)" = "write through" ]
		sync /dev/nvme_pmr0
		cmp -n 4096 <(pattern "first of /dev/nvme_pmr0" 4096) \
			/dev/nvme_pmr0
		fails dd if=/dev/zero of=/dev/nvme_pmr0 bs=4k count=1 \
			oflag=direct status=none
		dmsetup create above --table "0 8 linear /dev/nvme_pmr0 0"
		fails dd if=/dev/zero of=/dev/mapper/above bs=4k count=1 \
			oflag=direct conv=nocreat status=none
		settle
		dmsetup remove --retry above
		unbind "$(controller)"
	done
	unfake
}

@test "a PMR without a way to flush is no write cache" {
	fake_pmr "$REG_PMRCAP=$PMRCAP_NO_FLUSH"
	try_bind
	logged "PMRCAP.PMRWBM promises nothing"
	[ "$(cat /sys/block/nvme_pmr0/queue/write_cache)" = "write through" ]
	ends_hold_data /dev/nvme_pmr0
	unbind "$(controller)"
	unfake
}

@test "a PMR that is flushed by a read from it is a write cache" {
	fake_pmr "$REG_PMRCAP=$PMRCAP_READ"
	try_bind
	[ "$(cat /sys/block/nvme_pmr0/queue/write_cache)" = "write back" ]
	pattern flushed 8192 | dd of=/dev/nvme_pmr0 bs=4k conv=fsync \
		iflag=fullblock status=none
	cmp -n 8192 <(pattern flushed 8192) /dev/nvme_pmr0
	unbind "$(controller)"
	unfake
}

@test "with pmem=1, a PMR that libnvdimm cannot flush or write to is a disk" {
	local value times=0
	rmmod nvme_cmb
	modprobe nvme_cmb pmem=1
	unbind "$(controller)"
	for value in "$REG_PMRCAP=$PMRCAP_READ" "$REG_PMRCAP=$PMRCAP_NO_FLUSH" \
		"$REG_PMRSTS=$PMRSTS_READ_ONLY"; do
		fake_pmr "$value"
		try_bind
		logged_times $((++times)) "PMR stays a disk"
		dd if=/dev/nvme_pmr0 of=/dev/null bs=4k count=1 iflag=direct status=none
		unbind "$(controller)"
	done
	unfake
	rmmod nvme_cmb
	modprobe nvme_cmb
	unbind "$(controller)"
}

@test "a flush fails if PMRSTS says so" {
	fake_pmr
	try_bind
	settle
	dd if=/dev/zero of=/dev/nvme_pmr0 bs=4k count=1 conv=fsync status=none
	fake_pmr "$REG_PMRCTL=$ENABLED" "$REG_PMRSTS=$PMRSTS_ERR"
	fails dd if=/dev/zero of=/dev/nvme_pmr0 bs=4k count=1 conv=fsync \
		status=none
	logged "flush of the PMR failed: PMRSTS.ERR"
	fake_pmr "$REG_PMRCTL=$ENABLED"
	dd if=/dev/zero of=/dev/nvme_pmr0 bs=4k count=1 conv=fsync status=none
	unbind "$(controller)"
	unfake
}

@test "a PMR that was reset since the last check: errors, not data" {
	fake_pmr
	try_bind
	settle
	ends_hold_data /dev/nvme_pmr0
	fake_pmr "$REG_PMRCTL=0"
	fails dd if=/dev/nvme_pmr0 of=/dev/null bs=4k count=1 iflag=direct
	fails dd if=/dev/zero of=/dev/nvme_pmr0 bs=4k count=1 oflag=direct
	# The PMR could not be restored in full.
	fake_pmr "$REG_PMRCTL=$ENABLED" "$REG_PMRSTS=$PMRSTS_NOT_RESTORED"
	fails dd if=/dev/nvme_pmr0 of=/dev/null bs=4k count=1 iflag=direct
	fake_pmr "$REG_PMRCTL=$ENABLED"
	cmp -n 4096 <(pattern "first of /dev/nvme_pmr0" 4096) /dev/nvme_pmr0
	unbind "$(controller)"
	unfake
}

@test "the PMR has become unreliable: whoever waits for its health is told" {
	fake_pmr
	try_bind
	settle
	[ "$(<"$CTRL_SYS/pmr_health")" = normal ]
	start_wait state pmr_health
	fake_pmr "$REG_PMRCTL=$ENABLED" "$REG_PMRSTS=$PMRSTS_UNRELIABLE"
	# The driver reads PMRSTS with each flush.
	fails dd if=/dev/zero of=/dev/nvme_pmr0 bs=4k count=1 conv=fsync status=none
	end_wait
	[ "$output" = pmr_health=unreliable ]
	unbind "$(controller)"
	unfake
}

# one_disk DISK TEXT: DISK is the only disk, and the log has TEXT about the other memory.
one_disk() {
	try_bind
	logged "$2"
	[ "$(disk_of "$(controller)")" = "$1" ]
	ends_hold_data "/dev/$1"
	unbind "$(controller)"
}

@test "of two memories, the one with valid registers is a disk" {
	fake_pmr "$REG_CAP_HIGH=$CAP_CMBS_PMRS" "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=0x0000021d"
	one_disk nvme_pmr0 "CMB declined: CMBSZ.SZ is 0"
	fake_pmr "$REG_CAP_HIGH=$CAP_CMBS_PMRS" "$REG_CMBLOC=$CMBLOC_BAR2" "$REG_CMBSZ=$CMBSZ_1M" \
		"$REG_PMRSTS=$PMRSTS_ERR"
	one_disk nvme_cmb0 "PMR declined: PMRSTS.ERR"
	unfake
}

# The CMB is in the BAR of the PMR here. The driver claims the BAR for the CMB first, and then
# cannot claim it for the PMR.
@test "of two memories, the one that can be used is a disk" {
	local busy=-EBUSY
	register "$REG_PMRCTL" 32 "$ENABLED"
	fake_pmr "$REG_CAP_HIGH=$CAP_CMBS_PMRS" "$REG_CMBLOC=$CMBLOC_BAR4" "$REG_CMBSZ=$CMBSZ_1M"
	# The debug kernel has no CONFIG_SYMBOLIC_ERRNAME, and so prints the error's number.
	[[ $KERNEL != *-debug ]] || busy=-16
	one_disk nvme_cmb0 "pmr left out: $busy"
	unfake
}

@test "the controller works as before" {
	try_bind
	ends_hold_data /dev/nvme_cmb0
	fio_verify /dev/nvme_cmb0 4k
}
