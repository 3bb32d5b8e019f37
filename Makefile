# Ringside. `make run` opens the lab, `make test` proves it; both first install what is
# missing (NO_INSTALL=1 only tells). README.md explains the rest.
#
## make run      set up, build, open the lab (without a terminal: play the first lesson as text)
## make test     set up, build, run every test that this machine can run
## make          build into build/
## make asan     the tests again, with the address and undefined-behaviour sanitizers
## make fuzz     a short run of every fuzzer and of every test of random programs (FUZZ_SECONDS=10 each)
## make bench    the figures of the README, as ratios in one run
## make install  PREFIX=/usr/local DESTDIR=
## make clean

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
VERSION := 0.1.0
FUZZ_SECONDS ?= 10
PKGS    := ncursesw yaml-0.1 json-c libseccomp libcrypto libdeflate libzstd libmnl libnftables
# Loaded when they are needed (containers/libs.h).
LAZY    := libarchive libcurl

# The folders, and what each may be linked with: dependencies point one way.
FOLDERS    := engine/base emu containers vmm engine tui
LIB_base   := $(BUILD)/libbase.a
LIB_emu    := $(BUILD)/libemu.a $(LIB_base)
LIB_containers := $(BUILD)/libcontainers.a $(LIB_base)
LIB_vmm    := $(BUILD)/libvmm.a $(LIB_emu)
LIB_engine := $(BUILD)/libengine.a $(BUILD)/libvmm.a $(BUILD)/libemu.a $(BUILD)/libcontainers.a $(LIB_base)
LIB_tui    := $(BUILD)/libtui.a $(LIB_engine)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wundef -Wvla -Wformat=2 -Wno-format-nonliteral $(WERROR)
OPT  ?= -O2 -g
SAN  ?=
# Asked once, when the first file is compiled: pkg-config may be what the set-up has to install.
pkg_cflags = $(eval pkg_cflags := $$(shell pkg-config --cflags $$(PKGS) $$(LAZY)))$(pkg_cflags)
pkg_libs   = $(eval pkg_libs := $$(shell pkg-config --libs $$(PKGS)))$(pkg_libs)
COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE -DRS_VERSION='"$(VERSION)"' -DRS_PREFIX='"$(PREFIX)"' \
          -I. -I$(BUILD)/gen -MMD -MP $(OPT) $(WARN) -fno-strict-aliasing -pthread $(SAN) \
          $(pkg_cflags) $(CPPFLAGS) $(CFLAGS)
LINK    = $(CC) -pthread $(SAN) $(LDFLAGS)
LIBS    = $(pkg_libs) -lZydis -lm

objs_of  = $(patsubst %.c,$(BUILD)/%.o,$(filter-out tui/main.c containers/main.c,$(wildcard $(1)/*.c)))
ALL_OBJS := $(foreach f,$(FOLDERS),$(call objs_of,$(f))) $(BUILD)/tui/main.o $(BUILD)/containers/main.o

# Every tests/<folder>_<what>.c is one cmocka program, linked with its folder and what that may use.
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard $(addprefix tests/,$(addsuffix _*.c,base emu containers vmm engine tui))))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

# Tests of random programs, which `make fuzz` runs for longer (tests/seeds.h).
LONG_TESTS := $(addprefix $(BUILD)/tests/,emu_diff emu_rv_qemu emu_a64_qemu)

.DEFAULT_GOAL := all
.SECONDARY:
.PHONY: all help run test check tests asan bench benches fuzz fuzzers install uninstall clean \
        setup-run setup-test setup-fuzz docs
all: $(BUILD)/ringside $(BUILD)/ringside-oci

help:
	@sed -n 's/^## //p' Makefile

setup-run setup-test setup-fuzz: setup-%:
	@assets/setup $*

# A second make starts after the set-up, so that it sees what was installed.
run: setup-run
	@$(MAKE) --no-print-directory -s -j"$$(nproc)" all
	@$(BUILD)/ringside $(ARGS)

test: setup-test
	@$(MAKE) --no-print-directory -j"$$(nproc)" check

check: $(BUILD)/ringside $(BUILD)/ringside-oci tests benches
	@tests/run $(BUILD)

asan: setup-test
	@KVM_TIMEOUT="$${KVM_TIMEOUT:-1500}" TEST_TIMEOUT="$${TEST_TIMEOUT:-900}" $(MAKE) --no-print-directory -j"$$(nproc)" BUILD=$(BUILD)-asan OPT="-O1 -g -fno-omit-frame-pointer" \
		SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" check

bench: setup-test
	@$(MAKE) --no-print-directory -j"$$(nproc)" all benches
	@tests/bench/run $(BUILD)

fuzz: setup-fuzz
	@$(MAKE) --no-print-directory -j"$$(nproc)" BUILD=$(BUILD)-fuzz CC=clang OPT="-O1 -g" \
		SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" fuzzers
	@tests/fuzz/run $(BUILD)-fuzz $(FUZZ_SECONDS) $(patsubst $(BUILD)/%,$(BUILD)-fuzz/%,$(LONG_TESTS))

tests: $(TESTS)
benches: $(BENCHES)
fuzzers: $(FUZZERS) $(LONG_TESTS)

$(BUILD)/ringside: $(BUILD)/tui/main.o $(LIB_tui)
	$(LINK) -o $@.new $^ $(LIBS)
	@mv -f $@.new $@

# The OCI runtime starts for every container: static where the libraries are there as archives, which
# saves a third of its start, and without the lab.
OCI_LIBS = -ljson-c -lseccomp -lm
$(BUILD)/ringside-oci: $(BUILD)/containers/main.o $(LIB_containers)
	@$(if $(SAN),false,$(LINK) -static -Wl,--gc-sections -o $@.new $^ $(OCI_LIBS) 2>/dev/null) || $(LINK) -o $@.new $^ $(OCI_LIBS)
	@mv -f $@.new $@

define folder_library
$(BUILD)/lib$(notdir $(1)).a: $(call objs_of,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_library,$(f))))

$(BUILD)/%.o: %.c | $(BUILD)/gen/i18n.inc
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

# Translations: the entries of assets/i18n/zh-TW/*.po become one sorted table.
PO := $(sort $(wildcard assets/i18n/zh-TW/*.po))
$(BUILD)/gen/i18n.inc: $(PO) tests/tools/po2c.awk
	@mkdir -p $(@D)
	LC_ALL=C awk -f tests/tools/po2c.awk $(PO) /dev/null >$@.tmp && mv $@.tmp $@
# lang.c includes the table.
$(BUILD)/engine/base/lang.o: $(BUILD)/gen/i18n.inc

folder_of = $(firstword $(subst _, ,$(1)))
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIB_tui)
	@mkdir -p $(@D)
	$(LINK) -o $@ $< $(LIB_$(call folder_of,$*)) $(LIBS) $(TEST_LIBS) -lcmocka
$(BUILD)/tests/tui_pty: TEST_LIBS = -lvterm -lutil
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(LIB_tui)
	@mkdir -p $(@D)
	$(LINK) -o $@ $< $(LIB_tui) $(LIBS) -lutil
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB_engine)
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $< $(LIB_engine) $(LIBS)

# Reference pages, man page and completions come from the tables in the program.
docs: $(BUILD)/ringside
	$< doc man >assets/man/ringside.1
	$< doc bash >assets/completions/ringside.bash
	$< doc zsh >assets/completions/_ringside
	$< doc schema >assets/schema/lesson-v1.schema.json

SHARE := $(DESTDIR)$(PREFIX)/share
install: all
	install -Dm755 $(BUILD)/ringside $(DESTDIR)$(PREFIX)/bin/ringside
	install -Dm755 $(BUILD)/ringside-oci $(DESTDIR)$(PREFIX)/bin/ringside-oci
	install -Dm644 assets/man/ringside.1 $(SHARE)/man/man1/ringside.1
	install -Dm644 assets/completions/ringside.bash $(SHARE)/bash-completion/completions/ringside
	install -Dm644 assets/completions/_ringside $(SHARE)/zsh/site-functions/_ringside
	install -Dm644 assets/doc/lessons.md $(SHARE)/doc/ringside/lessons.md
	rm -rf $(SHARE)/ringside/labs
	find labs -type d -exec install -d $(SHARE)/ringside/{} \;
	find labs -type f -exec install -m644 {} $(SHARE)/ringside/{} \;

uninstall:
	rm -rf $(SHARE)/ringside $(SHARE)/doc/ringside
	rm -f $(DESTDIR)$(PREFIX)/bin/ringside $(DESTDIR)$(PREFIX)/bin/ringside-oci $(SHARE)/man/man1/ringside.1 \
		$(SHARE)/bash-completion/completions/ringside $(SHARE)/zsh/site-functions/_ringside

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz

-include $(ALL_OBJS:.o=.d) $(TESTS:=.d) $(patsubst $(BUILD)/%,$(BUILD)/tests/%.d,$(BENCHES) $(FUZZERS))
