#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The number of accesses to the device that a request takes. QEMU's trace counts them. The driver
# makes one access for each eight bytes, and reads VS before and after. If it has not checked the
# controller recently, as here, it first compares CAP and the registers of the memory with those
# at probe.
#
# The driver rightly repeats a copy that was interrupted for too long. So there are five
# requests of each kind, and one of them has to take the right accesses.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/tap.bash
. tests/tap.bash

# As in accesses_guest.sh: where the requests of each kind begin, and how far they are apart
readonly READ_4K_MIB=5 READ_8K_MIB=6 WRITE_MIB=7 ZERO_MIB=8 STEP=65536

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# bar REGION: the address of REGION, which the guest has printed
bar() {
	sed -n "s/^# $1 at //p" <<<"$guest"
}

# sequence: print QEMU's trace in one line: the name of a register for each read of one, and
# "read@OFFSET:ACCESSES" for consecutive accesses of 8 bytes to the CMB.
sequence() {
	perl -lne '
		BEGIN {
			($nvme, $cmb) = map { hex } splice @ARGV, 0, 2;
			%register = (0 => "CAP", 4 => "CAP", 8 => "VS",
				0x38 => "CMBLOC", 0x3c => "CMBSZ");
		}
		sub flush { push @out, "$op\@$from:$n" if $n; $n = 0 }
		END { flush(); print "@out" }
		/^memory_region_ops_(\w+) .* addr (\w+) .* size (\d) name .(nvme|nvme-cmb).$/
			or next;
		my ($is, $at, $size, $name) = ($1, hex $2, $3, $4);
		if ($name eq "nvme") {
			flush();
			push @out, $is eq "read" && $register{$at - $nvme} || "other";
			next;
		}
		flush() if $n && ($is ne $op || $size != 8 || $at != $cmb + $from + 8 * $n);
		($op, $from) = ($is, $at - $cmb) if !$n;
		$n++;
	' "$(bar nvme)" "$(bar nvme-cmb)" "$log"
}

# one DIRECTION MIB ACCESSES NAME: one of the five requests at MIB took exactly ACCESSES.
one() {
	local i wanted got=$sequence
	for i in 0 1 2 3 4; do
		wanted="CMBLOC CMBSZ CAP CAP VS $1@$((($2 << 20) + i * STEP)):$3 VS"
		if [[ " $sequence " == *" $wanted "* ]]; then
			got=$wanted
			break
		fi
	done
	is "$got" "$wanted" "$4" "or the same at one of the four places before it"
}

# none DIRECTION FROM-MIB TO-MIB NAME: standard input has only these registers, and accesses in
# DIRECTION between FROM-MIB and TO-MIB.
none() {
	local others
	others=$(tr ' ' '\n' | awk -F '[@:]' -v direction="$1" -v from="$2" -v to="$3" '
		!/^(CAP|VS|CMBLOC|CMBSZ)?$/ && !($1 == direction && $2 / 2^20 >= from && $2 / 2^20 < to)')
	is "${others//$'\n'/ }" '' "$4"
}

boot_guest --config cmb --qemu-arg -D --qemu-arg "$log" -- tests/accesses_guest.sh
sequence=$(sequence)

one read $READ_4K_MIB 512 "4096 bytes are read in 512 accesses of 8 bytes, between two of VS"
one read $READ_8K_MIB 1024 "8 KiB are read in 1024 accesses, between two of VS"
one write $WRITE_MIB 512 "4096 bytes are written in 512 accesses, between two of VS"
one write $ZERO_MIB 64 "512 bytes are zeroed in 64 accesses, between two of VS"

none read $READ_4K_MIB $WRITE_MIB "and nothing else is accessed" <<<"${sequence%%write*}"
none write $WRITE_MIB $((ZERO_MIB + 1)) "and nothing else is written" < <(
	grep -o 'write@[0-9:]*' <<<"$sequence")
done_testing
