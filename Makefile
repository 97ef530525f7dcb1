# SPDX-License-Identifier: GPL-2.0-only
#
# "make" builds the module as any out-of-tree module; the other targets use the
# lab in qemu-configs/. Kbuild reads the file of that name and never this one.

KVER   ?= $(shell uname -r)
KDIR   ?= /lib/modules/$(KVER)/build

kernels := 6.1 6.12 sid
configs := $(sort $(patsubst qemu-configs/%.cfg,%,$(wildcard qemu-configs/*.cfg)))

# Empty in the environment is as good as absent
CONFIG := $(or $(CONFIG),cmb)
V      := $(filter-out 0,$(V))
export QEMU V

ifneq ($(KERNEL),)
ifeq ($(filter $(kernels),$(KERNEL)),)
$(error no kernel '$(KERNEL)': KERNEL is one of $(kernels))
endif
endif
ifeq ($(filter $(configs),$(CONFIG)),)
$(error no topology '$(CONFIG)': CONFIG is one of $(configs))
endif

# run, shell and bench need one kernel, check and lint go through all
kernel  := $(or $(KERNEL),6.12)
kernels := $(or $(KERNEL),$(kernels))

debian := qemu-configs/debian.sh
boot   := qemu-configs/boot.sh --kernel $(kernel) --config $(CONFIG)

.PHONY: all modules run shell check lint bench bench-quick bench-compare install modules_install clean clean-cache help

all: modules

modules modules_install: | $(KDIR)/Makefile
modules: ## build nvme_cmb.ko for the kernel of KDIR or KVER (default: the running one)
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(addprefix V=,$(V)) modules

$(KDIR)/Makefile:
	@echo "error: no kernel headers in $(KDIR): install linux-headers-$(KVER), or set KDIR" >&2
	@exit 1

modules_install: ## install it there
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(addprefix V=,$(V)) modules_install

install: modules modules_install ## build and install it

run: ## boot a guest and use its CMB as a disk: the main job
	@$(debian) module $(kernel)
	@$(boot) -- qemu-configs/guest/demo.sh

shell: ## boot a guest and give a prompt in it, with the disk there
	@$(debian) module $(kernel)
	@$(boot) --interactive -- qemu-configs/guest/shell.sh

check: ## run the tests in guests of all three kernels
	@bash -c '. qemu-configs/lib.sh && need prove'
	@$(foreach k,$(kernels),$(debian) module $k &&) $(boot) --accelerator
	@status=0; for KERNEL in $(kernels); do \
		export KERNEL QUIET=1; echo "Kernel $$KERNEL"; \
		prove --failures --comments -j2 --exec tests/run tests/*.t tests/*.bats || status=1; \
	done; exit $$status

lint: ## check the style of all code, with the compiler, sparse, checkpatch, shellcheck
	@qemu-configs/lint.sh $(kernels)

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
	@sed -En 's/^([a-z_-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo
	@echo 'Variables: KERNEL=6.1|6.12|sid (run, shell, bench: 6.12; check, lint: all), CONFIG=$(subst $() ,|,$(configs)),'
	@echo '           QEMU=path of another QEMU, V=1 for all output'
