# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # other files use them
#
# Offsets of the NVMe registers in BAR 0, in bytes: NVM Express base specification 1.4, 3.1.

readonly REG_CAP=0x0 REG_CAP_HIGH=0x4 REG_VS=0x8 REG_CC=0x14 REG_CSTS=0x1c
readonly REG_AQA=0x24 REG_ASQ=0x28 REG_ACQ=0x30
readonly REG_CMBLOC=0x38 REG_CMBSZ=0x3c REG_CMBMSC=0x50
readonly REG_PMRCAP=0xe00 REG_PMRCTL=0xe04 REG_PMRSTS=0xe08

# CC.EN, CSTS.RDY and PMRCTL.EN: bit 0 of each
readonly ENABLED=1
