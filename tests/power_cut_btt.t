#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# power_cut.t on a BTT, which keeps blocks from being torn
exec "${0%/*}/power_cut.t" btt
