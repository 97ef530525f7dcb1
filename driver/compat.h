/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver is written for the newest kernel. What older ones call otherwise
 * is translated here and nowhere else, newest first.
 */
#ifndef NVME_CMB_COMPAT_H
#define NVME_CMB_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

#endif
