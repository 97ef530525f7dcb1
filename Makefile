# SPDX-License-Identifier: GPL-2.0-only
#
# "make" builds the module as any out-of-tree module; the other targets use the
# lab in qemu-configs/. Kbuild reads the file of that name and never this one.

# KERNELRELEASE is what DKMS and akmods call it, O where a kernel was built. To the kernel's
# own Makefile either means something else.
KVER   ?= $(or $(KERNELRELEASE),$(shell uname -r))
ifeq ($(origin O),command line)
override KDIR := $(abspath $(O))
endif
KDIR   ?= /lib/modules/$(KVER)/build
MAKEOVERRIDES := $(filter-out KERNELRELEASE=% O=%,$(MAKEOVERRIDES))

kernels := 6.1 6.12 sid
# KASAN, lockdep and kmemleak; PREEMPT_RT
debug_kernels := 6.12-debug 6.12-rt
# whose every kernel the modules build for
suites := bookworm bookworm-backports trixie trixie-backports sid
configs := $(sort $(patsubst qemu-configs/%.cfg,%,$(wildcard qemu-configs/*.cfg)))

# Empty is as good as absent
override CONFIG := $(or $(CONFIG),cmb)
override V      := $(filter-out 0,$(V))
override FULL   := $(filter-out 0,$(FULL))
override STAGING := $(filter-out 0,$(STAGING))
export QEMU V FULL STAGING SUITE

# Build environments have a KERNEL and a CONFIG of their own: both are the lab's only
lab := run shell check check-all check-debug check-debug-quick check-install pair lint bench bench-quick
ifneq ($(filter $(lab),$(MAKECMDGOALS)),)
ifneq ($(KERNEL),)
ifneq ($(words $(KERNEL)) $(filter $(kernels) $(debug_kernels),$(KERNEL)),1 $(KERNEL))
$(error no kernel '$(KERNEL)': KERNEL is one of $(kernels) $(debug_kernels))
endif
endif
ifneq ($(words $(CONFIG)) $(filter $(configs),$(CONFIG)),1 $(CONFIG))
$(error no topology '$(CONFIG)': CONFIG is one of $(configs))
endif
endif

# run, shell, check and bench need one kernel, check-all and lint go through all
kernel        := $(or $(KERNEL),6.12)
kernels       := $(or $(KERNEL),$(kernels))
debug_kernels := $(or $(KERNEL),$(debug_kernels))

debian := qemu-configs/debian.sh
boot   := qemu-configs/boot.sh --kernel $(kernel) --config $(CONFIG)

# As many at a time: they wait more than they compute
guests := 3

# The longest first
first := $(patsubst %,tests/%.bats,stress fail_nth hotplug reset lifecycle data large foreign)
all_tests := $(wildcard tests/*.t tests/*.bats)
# These have targets of their own
apart := tests/install.t $(wildcard tests/pair_*.t)
tests := $(filter $(all_tests),$(first)) $(filter-out $(first) $(apart),$(all_tests))
# "data" is as good as tests/data.bats
find_test = $(or $(filter $1 tests/$1 tests/$1.bats tests/$1.t,$(all_tests)),$(error no test '$1' in tests/))
files     = $(foreach test,$(tests),$(call find_test,$(test)))

# What check-debug-quick runs: files that only the debug kernel can run, but not fail_nth,
# which needs many minutes
quick := $(filter $(patsubst %,tests/%.bats,stress kunit inject),$(all_tests))

# $(call check,KERNELS,FILES)
define check
	@bash -c '. qemu-configs/lib.sh && need prove python3'
	@$(debian) roots $1
	@$(foreach k,$1,$(debian) module $k &&) $(boot) --accelerator
	@bash -c 'set -o pipefail; export KERNEL QUIET=1; unset IMAGES; status=0; for KERNEL; do \
		echo "Kernel $$KERNEL"; words=$$(tests/run --list $2) || exit; \
		prove --timer --failures --comments -j$(guests) --exec tests/run $$words | \
			qemu-configs/progress.py $(guests) $$words || status=1; \
	done; exit $$status' bash $1
endef

# The targets share their directories; Kbuild has jobs of its own, and so has prove
.NOTPARALLEL:

.PHONY: all modules run shell check check-all check-debug check-debug-quick check-install pair lint bench bench-quick bench-compare install modules_install deb clean clean-cache help

all: modules

# Objects go to MO, or beside the sources
kbuild   = $(if $(word 2,$(CURDIR)),$(error no module builds in a directory with a space in its name: move '$(CURDIR)'))\
	   -C $(KDIR) M=$(CURDIR) $(if $(MO),MO=$(abspath $(MO))) $(addprefix V=,$(V))
# as its modules have it, and its directory; Debian's 6.1 has another in kernel.release
release  = $$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)

modules modules_install: | $(KDIR)/Makefile
modules: ## build nvme_cmb.ko for the kernel of KDIR or KVER (default: the running one)
	@[ -w . ] || [ '$(MO)' ] || \
		{ echo "error: $(CURDIR) is not to be written: build in a copy, or with MO=directory since Linux 6.13" >&2; exit 1; }
	@[ ! '$(MO)' ] || printf '%s\n' 6.13 "$(release)" | sort -VC || \
		{ echo "error: Linux $(release) does not know MO, 6.13 does: build in a copy" >&2; exit 1; }
	$(MAKE) $(kbuild) modules

$(KDIR)/Makefile:
	@echo "error: no kernel headers in $(KDIR): install linux-headers-$(KVER), or set KDIR" >&2
	@exit 1

modules_install: ## install what is built there
	@grep -qs "vermagic=$(release) " $(or $(MO),.)/nvme_cmb.ko || \
		{ echo "error: nothing is built for Linux $(release): run make first" >&2; exit 1; }
	$(MAKE) $(kbuild) KERNELRELEASE="$(release)" modules_install
# Kbuild does so only where there is a System.map, which distributions keep elsewhere
	@[ '$(INSTALL_MOD_PATH)' ] || PATH=$$PATH:/usr/sbin:/sbin depmod "$(release)"

# Root leaves no objects in a user's checkout, which could not be removed any more
install: ## build and install it; in another's checkout install what is built there
	@if [ '$(MO)' ] || [ -O . -a -w . ]; then $(MAKE) modules; fi
	@$(MAKE) modules_install
	@echo "warning: udev now loads nvme_cmb, which takes QEMU's NVMe controllers that have no namespace: a line 'blacklist nvme_cmb' in /etc/modprobe.d/nvme_cmb.conf prevents that" >&2

# dpkg-buildpackage writes to the parent of the directory where it runs. So it runs in a copy.
deb: ## build the Debian packages nvme-cmb-dkms and nvme-cmb-utils, in build/deb/
	@bash -c '. qemu-configs/lib.sh && need dpkg-buildpackage c++ dh dh_dkms rst2man'
	@rm -rf build/deb
	@mkdir -p build/deb/source/driver
	@cp -R Kbuild debian utils build/deb/source
	@cp driver/*.[ch] driver/*.rst build/deb/source/driver
	cd build/deb/source && dpkg-buildpackage -us -uc -b
	@rm -r build/deb/source
	@ls build/deb/*.deb

run: ## boot a guest and use its CMB as a disk: the main job
	@$(debian) module $(kernel)
	@$(boot) -- qemu-configs/guest/demo.sh

shell: ## boot a guest and give a prompt in it, with the disk there
	@$(debian) module $(kernel)
	@$(boot) --interactive -- qemu-configs/guest/shell.sh

check: ## run the tests on Linux 6.12, or on KERNEL; with tests='data copy' only those
	$(call check,$(kernel),$(files))

check-all: ## run them on all kernels that Debian has
	$(call check,$(kernels),$(files))
	@$(MAKE) check KERNEL=$(lastword $(filter 6.12,$(kernels)) $(kernels)) STAGING=1

check-debug: ## run them on kernels with KASAN, lockdep and kmemleak, and with PREEMPT_RT
	$(call check,$(debug_kernels),$(files))

check-debug-quick: ## run a few of them on 6.12-debug, whatever KERNEL is
	$(call check,6.12-debug,$(quick))

check-install: ## make the packages, and use them in a system of Debian: SUITE=bookworm or sid
	$(call check,6.12,tests/install.t)

pair: guests := 1
pair: ## use a disk from a second guest, by NVMe over TCP, and two by DRBD
	$(call check,$(kernel),$(wildcard tests/pair_*.t))

# The debug kernel, too: some files are for it alone. And all others of Debian's
lint: ## check the code, with the compiler, sparse, checkpatch, shellcheck
	@qemu-configs/lint.sh $(or $(KERNEL),$(kernels) $(firstword $(debug_kernels)) $(suites:%=headers-%))

bench: ## measure nvme_cmb beside its peers, with table, plots and page in build/bench/
	@bench/run.sh --kernel $(kernel)

bench-quick: ## the same for the targets only, in a few minutes
	@bench/run.sh --kernel $(kernel) --quick

bench-compare: ## hold two results side by side: A=before.json B=after.json
	@bench/compare.sh '$(A)' '$(B)'

clean: ## remove what was built here
	@rm -rf build
	@find . -name .git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name Module.symvers -o -name modules.order \) -exec rm -f {} +

clean-cache: ## remove the kernels and disks that the lab keeps outside the checkout
	@$(debian) clean-cache

help: ## list the targets
	@sed -En 's/^([a-z_-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo
	@echo 'The module:  KVER=release, or KDIR=directory where that kernel was built (default: the running one);'
	@echo '             MO=directory for objects, since Linux 6.13; what Kbuild knows: INSTALL_MOD_PATH, LLVM, W, ...'
	@echo 'The lab:     KERNEL=6.1|6.12|sid|6.12-debug|6.12-rt (default of run, shell, check, bench: 6.12; of check-all:'
	@echo '             the first three; of check-debug: the last two; of lint: the first four,'
	@echo '             and whatever Debian has headers for),'
	@echo '             CONFIG=$(subst $() ,|,$(configs)),'
	@echo '             IMAGES=directory that keeps the contents of disks and of a PMR from run to run,'
	@echo '             QEMU=path of another QEMU, V=1 for all output, FULL=1 for more of each test, in all topologies,'
	@echo '             STAGING=1 for tests of a CMB alone, with all copies staged'
