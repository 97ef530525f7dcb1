# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions of the guests of the pair_*.t files, beside those of lib.bash

# shellcheck source=tests/lib.bash
. tests/lib.bash

# The addresses of both guests, and those of a second path
export ADDRESS_A=10.0.0.1 ADDRESS_B=10.0.0.2
export SECOND_ADDRESS_A=10.0.1.1 SECOND_ADDRESS_B=10.0.1.2
readonly COMMAND_PORT=23

ip() {
	busybox ip "$@"
}

# join ADDRESS...: wait for the network, and have these addresses there.
join() {
	local interface address
	wait_for "the network" compgen -G '/sys/class/net/e*'
	interface=$(basename /sys/class/net/e*)
	ip link set lo up
	ip link set "$interface" up
	for address; do
		ip addr add "$address/24" dev "$interface"
	done
}

# take_commands: run what on_peer sends. Each command is a shell of its own.
take_commands() {
	busybox nc -ll -p $COMMAND_PORT -e tests/pair_command &
	background["commands"]=$!
}

# on_peer ADDRESS COMMAND: run COMMAND in the other guest. Prints its output, and has its status.
on_peer() {
	local answer
	answer=$(busybox nc -w 10 "$1" $COMMAND_PORT <<<"$2")
	[ "$answer" != "${answer%status *}" ] || { echo "no answer of $1"; return 1; }
	printf '%s' "${answer%status *}"
	return "${answer##*status }"
}

answers() { # ADDRESS
	on_peer "$1" true
}

# order WORD...: let the host do something: pair.bash.
order() {
	echo "order: $*" >/dev/ttyS3
}

ok() {
	echo "ok - $*"
}

# --- nvmet -------------------------------------------------------------------------------------

readonly NQN=nqn.2014-08.org.nvmexpress:uuid:6d3b7a52-1c0e-4f0b-9d0e-5a4f7e0c2b11

# export_pmr: export the PMR's disk, at both addresses.
export_pmr() {
	local address
	for address in $ADDRESS_A $SECOND_ADDRESS_A; do
		utils/nvme-cmb export --nqn $NQN "$DISK" "$address"
	done
}

# mark KIND: mark what follows in QEMU's trace, for flushes.bash.
mark() {
	setpci -s "$(controller)" INTERRUPT_LINE="$1"
}

trace() { # true|false
	local event
	for event in memory_region_ops_read pci_cfg_write; do
		qmp trace-event-set-state "{\"name\": \"$event\", \"enable\": $1}" >/dev/null
	done
}

# replug: plug the controller in again, and bind it. The stock driver may be about to have it.
replug() {
	plug_in
	wait_for "the controller" bind_controller
	wait_for_disk "$DISK"
}

bind_controller() {
	utils/nvme-cmb bind --yes "$(controller)"
}

# export_ramdisk: export brd's disk beside it. nvme-cmb refuses what is not a disk of nvme_cmb.
readonly RAMDISK=/dev/ram0 RAMDISK_NQN=$NQN-ramdisk NVMET=/sys/kernel/config/nvmet
export_ramdisk() {
	local dir=$NVMET/subsystems/$RAMDISK_NQN
	modprobe brd rd_nr=1 rd_size=$((DISK_SIZE / 1024))
	mkdir "$dir" "$dir/namespaces/1"
	echo 1 >"$dir/attr_allow_any_host"
	echo $RAMDISK >"$dir/namespaces/1/device_path"
	echo 1 >"$dir/namespaces/1/enable"
	ln -s "$dir" $NVMET/ports/1/subsystems/
}

unexport_ramdisk() {
	rm $NVMET/ports/1/subsystems/$RAMDISK_NQN
	rmdir $NVMET/subsystems/$RAMDISK_NQN/{namespaces/1,}
}

# figure DISK RW BLOCK-SIZE: print the rate in IOPS, or in MiB/s from 1 MiB up, and the mean
# latency in microseconds.
figure() {
	fio --name=figure --filename="$1" --allow_file_create=0 --rw="$2" --bs="$3" --direct=1 \
		--ioengine=psync --time_based --runtime=3 --ramp_time=1 --output-format=json |
		jq -r '.jobs[0] | (if .read.total_ios > 0 then .read else .write end) |
			(if .bw_bytes / .iops < 1048576 then .iops else .bw_bytes / 1048576 end),
			.clat_ns.mean / 1000' | xargs
}

# --- DRBD --------------------------------------------------------------------------------------

# An extent of the activity log is 4 MiB. 7 is the least that DRBD takes, and one less than a PMR
# of 32 MiB has.
readonly DRBD=r0 AL_EXTENTS=7

drbd_configuration() {
	cat <<-END
		resource $DRBD {
			device /dev/drbd0;
			disk $DISK;
			meta-disk internal;
			disk {
				al-extents $AL_EXTENTS;
			}
			net {
				protocol C;
			}
			on a {
				address $ADDRESS_A:7789;
			}
			on b {
				address $ADDRESS_B:7789;
			}
		}
	END
}

# drbd_is dstate|cstate STATE
drbd_is() {
	[ "$(drbdadm "$1" $DRBD)" = "$2" ]
}

# take_over: become the primary when the other machine is gone.
take_over() {
	wait_for "DRBD to notice" drbd_is cstate WFConnection
	drbdadm primary $DRBD
}

# write_more LAST: write more records after LAST.
write_more() {
	tests/records write blocks /dev/drbd0 "$1" >/tmp/more &
	wait_for "more records" test -s /tmp/more
	sleep 2
	kill $!
	wait $! || true
}
