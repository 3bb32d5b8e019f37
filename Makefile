# Ringside. `make run` opens the lab, `make test` proves it; both first install what is
# missing (NO_INSTALL=1 only tells). README.md explains; `make help` lists the targets.

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
VERSION := 0.1.0
PKGS    := ncursesw yaml-0.1 json-c libseccomp zydis

# Folders, and for each one what it may be linked with: dependencies point one way.
FOLDERS := engine/base emu containers vmm engine tui
LIB_base   := $(BUILD)/libbase.a
LIB_vmm    := $(BUILD)/libvmm.a $(BUILD)/libemu.a $(LIB_base)
LIB_emu    := $(BUILD)/libemu.a $(LIB_base)
LIB_containers := $(BUILD)/libcontainers.a $(LIB_base)
LIB_engine := $(BUILD)/libengine.a $(BUILD)/libvmm.a $(BUILD)/libemu.a $(BUILD)/libcontainers.a $(LIB_base)
LIB_tui    := $(BUILD)/libtui.a $(LIB_engine)

WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
         -Wundef -Wvla -Wformat=2 -Wno-format-nonliteral $(WERROR)
OPT   ?= -O2 -g
# `make asan` builds into its own folder with this.
SAN   ?=
CPPFLAGS_ALL = -D_GNU_SOURCE -DRS_VERSION='"$(VERSION)"' -DRS_PREFIX='"$(PREFIX)"' -I. -I$(BUILD)/gen -MMD -MP \
         $(shell pkg-config --cflags $(PKGS)) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(OPT) $(WARN) -fno-strict-aliasing -pthread $(SAN) $(CFLAGS)
LIBS  = $(shell pkg-config --libs $(PKGS)) -pthread $(SAN) $(LDFLAGS)

srcs_of = $(filter-out tui/main.c,$(wildcard $(1)/*.c))
objs_of = $(patsubst %.c,$(BUILD)/%.o,$(call srcs_of,$(1)))
ALL_OBJS := $(foreach f,$(FOLDERS),$(call objs_of,$(f))) $(BUILD)/tui/main.o

# Every tests/<folder>_<what>.c is one cmocka program, linked with its folder and what that may use.
TEST_SRCS := $(wildcard tests/base_*.c tests/vmm_*.c tests/emu_*.c tests/engine_*.c tests/tui_*.c)
TESTS     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRCS))
BENCH     := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS   := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.DEFAULT_GOAL := all
.SECONDARY:
.PHONY: all help run test asan bench fuzz install uninstall clean setup-run setup-test
all: $(BUILD)/ringside

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(BUILD)/ringside: $(BUILD)/tui/main.o $(LIB_tui)
	$(CC) -o $@ $(BUILD)/tui/main.o $(LIB_tui) $(LIBS)

define folder_rule
$(BUILD)/lib$(notdir $(1)).a: $(call objs_of,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

$(BUILD)/%.o: %.c | $(BUILD)/gen/i18n.inc
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# Translations: assets/i18n/<lang>.po becomes a sorted table.
$(BUILD)/gen/i18n.inc: $(wildcard assets/i18n/*.po) tests/tools/po2c.awk
	@mkdir -p $(@D)
	LC_ALL=C awk -f tests/tools/po2c.awk $(wildcard assets/i18n/*.po) > $@.tmp && mv $@.tmp $@

test_folder = $(firstword $(subst _, ,$(1)))
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIB_tui)
	$(CC) -o $@ $< $(LIB_$(call test_folder,$*)) $(LIBS) -lcmocka

-include $(ALL_OBJS:.o=.d) $(TESTS:=.d)
clean:
	rm -rf $(BUILD)
