# runpost - see README.md. Targets: all test demo lint asan bench interop install clean
#
# Sources are found by folder; a new file needs no entry here. Everything made lies under build/.

VERSION = 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
BUILD ?= build
V ?= 0
Q = $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@printf '  %-5s %s\n' $(1) $(2))

PKGS = lmdb libcurl jansson libcrypto inih libxxhash
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS_CORE := $(shell pkg-config --libs jansson libcrypto inih libxxhash 2>/dev/null)
LIBS_STORE := $(shell pkg-config --libs lmdb 2>/dev/null)
LIBS_HTTP := $(shell pkg-config --libs libcurl 2>/dev/null)
LIBS_CHECK := $(shell pkg-config --libs check 2>/dev/null)

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wcast-qual -Wundef
ifeq ($(WERROR),1)
WARN += -Werror
endif
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DRP_VERSION='"$(VERSION)"' -Iinclude -Isrc $(PKG_CFLAGS)
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(CFLAGS) $(SANITIZE) -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(SANITIZE)

LIB_SRC := $(sort $(wildcard src/base/*.c src/core/*.c src/store/*.c src/work/*.c src/api/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
LIB := $(BUILD)/librunpost.a

UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_HELP_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(UNIT_SRC),$(sort $(wildcard tests/unit/*.c))))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
# Unit tests of these modules need the store or the network library; all others link without LMDB and libcurl, so that a
# leak of either into base or core is a link error.
UNIT_FULL := $(BUILD)/tests/test_outbox% $(BUILD)/tests/test_http% $(BUILD)/tests/test_sender% \
             $(BUILD)/tests/test_ingest% $(BUILD)/tests/test_api% $(BUILD)/tests/test_store%

PROGRAMS := $(BUILD)/runpost $(BUILD)/runpostctl $(BUILD)/runpost-sink

.PHONY: all
all: $(PROGRAMS) $(LIB)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/runpost: $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard src/*.c))) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_HTTP) $(LIBS_STORE) $(LIBS_CORE)

$(BUILD)/runpostctl: $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tools/ctl/*.c))) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_STORE) $(LIBS_CORE)

$(BUILD)/runpost-sink: $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tools/sink/*.c))) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_CORE)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(UNIT_HELP_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_CHECK) $(if $(filter $(UNIT_FULL),$@),$(LIBS_HTTP) $(LIBS_STORE)) $(LIBS_CORE)

.PHONY: unit
unit: $(UNIT_BIN)

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
