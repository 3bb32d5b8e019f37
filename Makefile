# Ringside. `make run` opens the lab, `make test` proves it; both install what is missing.
# See README.md. Variables: PREFIX DESTDIR CC NO_INSTALL=1 V=1

PREFIX ?= /usr/local
BUILD  ?= build
CC     ?= cc
VERSION := 0.1.0
PKGS    := ncursesw yaml-0.1 json-c libseccomp zydis
FOLDERS := engine/base engine vmm emu containers tui

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
          -Wundef -Wvla -Wformat=2 -Wno-format-nonliteral
OPT    ?= -O2 -g
CFLAGS_ALL = -std=gnu17 $(OPT) $(WARN) -D_GNU_SOURCE -I. -I$(BUILD)/gen -MMD -MP \
          -fno-strict-aliasing -pthread $(SAN) $(shell pkg-config --cflags $(PKGS)) $(CFLAGS)
LIBS   = $(shell pkg-config --libs $(PKGS)) -pthread $(SAN) $(LDFLAGS)

SRCS  := $(wildcard $(addsuffix /*.c,$(FOLDERS)))
OBJS  := $(patsubst %.c,$(BUILD)/%.o,$(SRCS))
