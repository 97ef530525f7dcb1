#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# power_cut.t, on a BTT: libnvdimm's answer to torn blocks.
exec "${0%/*}/power_cut.t" btt
