# runpost - see README.md. Targets: all test debian12 debian13 demo lint asan valgrind coverage fuzz
# bench torture interop install clean
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

PKGS = lmdb libcurl jansson libssl libcrypto inih libxxhash
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS_CORE := $(shell pkg-config --libs jansson libcrypto inih libxxhash 2>/dev/null)
LIBS_STORE := $(shell pkg-config --libs lmdb 2>/dev/null)
LIBS_HTTP := $(shell pkg-config --libs libcurl libssl 2>/dev/null)
LIBS_LOCAL := $(LIBS_STORE) $(LIBS_CORE)
# Of libcrypto `runpost` has SHA-256 alone (src/sign/crypto_hash.c): inside, where the system has
# the static library, since the shared one takes longer to load than everything else together.
LIBCRYPTO_A := $(wildcard $(shell pkg-config --variable=libdir libcrypto 2>/dev/null)/libcrypto.a)
LIBS_RUNPOST := $(LIBS_STORE) $(if $(LIBCRYPTO_A),$(filter-out -lcrypto,$(LIBS_CORE)) \
                $(LIBCRYPTO_A),$(LIBS_CORE))
LIBS_ALL := $(LIBS_HTTP) $(LIBS_LOCAL)
LIBS_CHECK := $(shell pkg-config --libs check 2>/dev/null)

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wcast-qual
WARN += -Wundef
ifeq ($(WERROR),1)
WARN += -Werror
endif
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DRP_VERSION='"$(VERSION)"' -Iinclude -Isrc -Itools $(PKG_CFLAGS)
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(CFLAGS) $(SANITIZE) -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(SANITIZE)

# POSTGRES=0 builds without the store in PostgreSQL. libpq is loaded when it is needed (src/store/
# postgres/libpq.h), so a build takes its headers alone.
POSTGRES ?= 1
ifeq ($(filter 0 1,$(POSTGRES)),)
$(error POSTGRES is 0 or 1)
endif
CPPFLAGS += -DRP_POSTGRES=$(POSTGRES)
ifeq ($(POSTGRES),1)
CPPFLAGS += $(shell pkg-config --cflags libpq 2>/dev/null)
else
WITHOUT := src/store/postgres/%
endif

CMD_SRC := $(sort $(shell find src/cmd -name '*.c'))
LIB_SRC := $(filter-out $(CMD_SRC) $(WITHOUT),$(sort $(shell find src -name '*.c')))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
CMD_OBJ := $(CMD_SRC:%.c=$(BUILD)/obj/%.o)
# What needs keys or libcurl is a program of its own, so that `runpost` starts fast.
SENDER_VERBS := %/cmd_send.o %/cmd_check.o
SENDER_OBJ := $(filter %/sender_main.o %/cli.o %/program.o %/supervisor.o $(SENDER_VERBS), \
                $(CMD_OBJ))
RUNPOST_OBJ := $(filter-out %/sender_main.o $(SENDER_VERBS),$(CMD_OBJ))
# Both in one, for the tests.
WHOLE_OBJ := $(filter-out %/sender_main.o %/exec_sender.o,$(CMD_OBJ))
LIB := $(BUILD)/librunpost.a

UNIT_SRC := $(sort $(shell find tests/unit -name 'test_*.c'))
ifeq ($(POSTGRES),0)
UNIT_SRC := $(filter-out tests/unit/store/postgres/%,$(UNIT_SRC))
endif
# How tests work an outbox: for unit tests and conformance tests.
WORK_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/outbox/*.c)))
$(WORK_OBJ): CPPFLAGS += -Itests
UNIT_HELP_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/unit/*.c))) $(WORK_OBJ)
UNIT_BIN := $(addprefix $(BUILD)/tests/,$(basename $(notdir $(UNIT_SRC))))
# Unit tests of these modules need the store or the network library; all others link without LMDB
# and libcurl, so that a leak of either into base or core is a link error.
UNIT_FULL := $(addprefix $(BUILD)/tests/test_,outbox% http% sender% ingest% api% table% ctl% \
             report_endpoints report_statistics door_counts door_batch watch pg% postgres%)

SINK_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tools/sink/*.c)))
CTL_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(shell find tools/ctl -name '*.c')))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

PROGRAMS := $(BUILD)/runpost $(BUILD)/runpostctl $(BUILD)/runpost-sink
SENDER := $(BUILD)/runpost-sender

.DELETE_ON_ERROR:
.SECONDARY:

.PHONY: all
all: $(PROGRAMS) $(SENDER) $(LIB)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

# Scripts that a program prints or runs: as text of C, which it includes.
$(BUILD)/quoted/%.inc: %
	@mkdir -p $(@D)
	$(Q)LC_ALL=C sed 's/[\\"?]/\\&/g; s/^/"/; s/$$/\\n"/' $< > $@
QUOTING := $(BUILD)/obj/tools/ctl/verbs/verb_completion.o $(BUILD)/obj/src/cmd/cmd_demo.o \
           $(BUILD)/obj/src/store/postgres/schema.o
$(QUOTING): CPPFLAGS += -I$(BUILD)/quoted
QUOTED := $(wildcard tools/ctl/completion/* src/store/postgres/schema/*.sql) src/cmd/demo.sh
$(QUOTING): $(patsubst %,$(BUILD)/quoted/%.inc,$(QUOTED))

# Made anew when the other one is wanted: what is in the library, and who asks for it.
WITH_POSTGRES := $(BUILD)/with-postgres
.PHONY: always
$(WITH_POSTGRES): always
	@mkdir -p $(@D)
	@$(if $(filter 0,$(POSTGRES)),echo "POSTGRES=0: without the store in PostgreSQL")
	@echo $(POSTGRES) | cmp -s - $@ || echo $(POSTGRES) >$@
$(BUILD)/obj/tests/conformance/stores.o $(BUILD)/obj/src/store/outbox.o: $(WITH_POSTGRES)

$(LIB): $(LIB_OBJ) $(WITH_POSTGRES)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/runpost: $(RUNPOST_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_RUNPOST)

$(SENDER): $(SENDER_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_ALL)

$(BUILD)/runpostctl: $(CTL_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_LOCAL)

$(BUILD)/runpost-sink: $(SINK_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_CORE)

# These test parts of a program, which are in no library.
CTL_TESTS := $(filter $(addprefix $(BUILD)/tests/test_,ctl_% table),$(UNIT_BIN))
$(CTL_TESTS): PARTS = $(filter-out %/main.o,$(CTL_OBJ))
$(CTL_TESTS): $(CTL_OBJ)

# This one compares names with those in a migration.
SCHEMA_TEST := $(BUILD)/obj/tests/unit/store/postgres/test_postgres_schema.o
$(SCHEMA_TEST): CPPFLAGS += -I$(BUILD)/quoted
$(SCHEMA_TEST): $(BUILD)/quoted/src/store/postgres/schema/0002_names_and_views.sql.inc

# A test lies in the folder of what it tests; its program does not.
if_full = $(if $(filter $(UNIT_FULL),$@),$(1))
define unit_program
$(BUILD)/tests/$(basename $(notdir $(1))): $(1:%.c=$(BUILD)/obj/%.o) $(UNIT_HELP_OBJ) $(LIB)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $$< $$(call if_full,$$(UNIT_HELP_OBJ)) $$(PARTS) $$(LIB) \
		-o $$@ $$(LIBS_CHECK) $$(call if_full,$$(LIBS_HTTP) $$(LIBS_STORE)) $$(LIBS_CORE)
endef
$(foreach source,$(UNIT_SRC),$(eval $(call unit_program,$(source))))

# Each store, judged through the interface alone.
CONFORMANCE_SRC := $(sort $(wildcard tests/conformance/test_*.c))
CONFORMANCE_BIN := $(CONFORMANCE_SRC:tests/conformance/%.c=$(BUILD)/tests/%)
CONFORMANCE_PARTS := $(wildcard tests/conformance/*.c tests/conformance/memory/*.c)
ifeq ($(POSTGRES),0)
CONFORMANCE_PARTS := $(filter-out tests/conformance/store_postgres.c,$(CONFORMANCE_PARTS))
endif
CONFORMANCE_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o, \
                     $(sort $(filter-out $(CONFORMANCE_SRC),$(CONFORMANCE_PARTS)))) $(WORK_OBJ)
$(BUILD)/obj/tests/conformance/%.o: CPPFLAGS += -Itests
$(CONFORMANCE_BIN): $(BUILD)/tests/%: $(BUILD)/obj/tests/conformance/%.o $(CONFORMANCE_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_CHECK) $(LIBS_ALL)

# Fuzz targets: run over their corpora among the tests; with libFuzzer, which brings a main of its
# own, by `make fuzz`.
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/tests/%)
FUZZERS := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzzers/%)
$(BUILD)/obj/tests/unit/%.o: CPPFLAGS += -Itests

FUZZ_REPLAY := $(BUILD)/obj/tests/fuzz/replay_main.o
$(FUZZ_BIN): $(BUILD)/tests/%: $(BUILD)/obj/tests/fuzz/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $< $(FUZZ_REPLAY) $(LIB) -o $@ $(LIBS_ALL)
$(FUZZ_BIN): $(FUZZ_REPLAY) $(LIB)

$(FUZZERS): $(BUILD)/fuzzers/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $< $(LIB) -o $@ $(LIBS_ALL)

# One target beside the parser of Node.js, where Debian's package node-llhttp has put its sources.
LLHTTP_SRC := $(wildcard /usr/share/llhttp/*.c)
LLHTTP_OBJ := $(LLHTTP_SRC:/usr/share/llhttp/%.c=$(BUILD)/obj/llhttp/%.o)
FUZZ_LLHTTP := $(if $(LLHTTP_SRC),$(BUILD)/fuzzers/fuzz_request_llhttp)
$(BUILD)/obj/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -isystem /usr/share/include/llhttp $(filter-out -W%,$(ALL_CFLAGS)) -w -c $< -o $@

$(BUILD)/obj/tests/fuzz/llhttp/%.o: CPPFLAGS += -Itests/fuzz -isystem /usr/share/include/llhttp
$(BUILD)/fuzzers/fuzz_request_llhttp: $(BUILD)/obj/tests/fuzz/llhttp/fuzz_request_llhttp.o \
		$(LLHTTP_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $^ -o $@ $(LIBS_ALL)

$(BUILD)/examples/%: docs/examples/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=c11 -Wall -Wextra -Iinclude $(CFLAGS) $(SANITIZE) $< $(LIB) -o $@ \
		$(LIBS_LOCAL)

# The bare loops stand beside the library; these two work through it.
$(addprefix $(BUILD)/bench/,stock bare_door): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LIBS_LOCAL)

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $< -o $@ $(LIBS_HTTP) $(LIBS_STORE) -lcrypto

# Torture: X_main.c of an area is the program X, made of it and of the area's other files;
# preload_X.c is a library to be preloaded.
TORTURE_MAIN := $(sort $(wildcard tests/torture/*/*_main.c))
TORTURE_BIN := $(TORTURE_MAIN:tests/%_main.c=$(BUILD)/%)
TORTURE_PRELOAD := $(sort $(wildcard tests/torture/*/preload_*.c))
TORTURE_PRELOAD := $(TORTURE_PRELOAD:tests/%.c=$(BUILD)/%.so)
torture_parts = $(1) $(filter-out %_main.c $(dir $(1))preload_%,$(wildcard $(dir $(1))*.c))
define torture_program
$(1:tests/%_main.c=$(BUILD)/%): $(patsubst %.c,$(BUILD)/obj/%.o,$(call torture_parts,$(1))) $(LIB)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $$^ -o $$@ $$(LIBS_ALL)
endef
# The simulation stands between the sender and the store, and in the place of the log.
SIM_WRAPS = exchange fetch reap expire join leave renew_limits next_ready ledger endpoint_name \
            beat offer withdraw take
SIM_LDFLAGS = $(SIM_WRAPS:%=-Wl,--wrap=rp_outbox_%) -Wl,--wrap=rp_log
SIM_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/torture/sim/*.c)))
$(BUILD)/torture/sim/sim: private LDFLAGS += $(SIM_LDFLAGS)
$(foreach main,$(TORTURE_MAIN),$(eval $(call torture_program,$(main))))
# The same with one file of the library replaced by one that part_sim.py has put a mistake into.
$(BUILD)/torture/sim/mutant-%: $(BUILD)/torture/sim/mutants/%.c $(SIM_OBJ) $(LIB)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -c $< -o $(@:%=%.o)
	$(Q)$(CC) $(ALL_LDFLAGS) $(SIM_LDFLAGS) $(@:%=%.o) $(SIM_OBJ) $(LIB) -o $@ $(LIBS_ALL)

# A program of the conformance tests ($(JUDGE)) with one rule that part_rules.py has put a mistake
# into.
$(BUILD)/torture/rules/mutant-%: $(BUILD)/torture/rules/mutants/%.c $(CONFORMANCE_OBJ) $(LIB)
	$(Q)$(MAKE) --no-print-directory $(BUILD)/obj/tests/conformance/$(JUDGE).o
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -c $< -o $(@:%=%.o)
	$(Q)$(CC) $(ALL_LDFLAGS) $(@:%=%.o) $(BUILD)/obj/tests/conformance/$(JUDGE).o \
		$(CONFORMANCE_OBJ) $(LIB) -o $@ $(LIBS_CHECK) $(LIBS_ALL)

$(BUILD)/torture/%.so: tests/torture/%.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=c11 $(WARN) -fPIC -shared $(CFLAGS) $< -o $@

# The programs with one mistake each, which the torture must find: functions of the store are
# replaced when linking. Those named ctl_ are runpostctl, the others runpost.
TORTURE_MUTANTS := $(patsubst tests/%.c,$(BUILD)/%,$(sort $(wildcard tests/torture/*/mutants/*.c)))
TORTURE_CTL_MUTANTS := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/torture/*/mutants/ctl_*.c))
$(TORTURE_CTL_MUTANTS): $(CTL_OBJ)
$(filter-out $(TORTURE_CTL_MUTANTS),$(TORTURE_MUTANTS)): $(WHOLE_OBJ)
$(TORTURE_MUTANTS): $(BUILD)/torture/%: $(BUILD)/obj/tests/torture/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)wraps=$$(sed -n 's/.* __wrap_\([a-z_]*\)(.*/-Wl,--wrap=\1/p' tests/torture/$*.c) && \
		$(CC) $(ALL_LDFLAGS) $$wraps $(filter %.o,$^) $(LIB) -o $@ $(LIBS_ALL)

# Another machine's size of pages, for the tests of the store and some stories.
PAGES_PRELOAD := $(BUILD)/preload_pages.so
$(PAGES_PRELOAD): tests/pages/preload_pages.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=c11 $(WARN) -fPIC -shared $(CFLAGS) $< -o $@

.PHONY: unit fuzzers examples
unit: $(UNIT_BIN) $(CONFORMANCE_BIN) $(FUZZ_BIN) $(PAGES_PRELOAD)
fuzzers: $(FUZZERS) $(FUZZ_LLHTTP)
examples: $(patsubst docs/examples/%.c,$(BUILD)/examples/%,$(wildcard docs/examples/*.c))

# --- the commands of README: each sets up what it needs, then runs in a make that sees it ---

# What tests/setup.sh is to see to.
FOR_BUILD = build $(if $(filter 1,$(POSTGRES)),libpq)
FOR_TEST = $(FOR_BUILD) test $(if $(filter 1,$(POSTGRES)),postgres)

.PHONY: test debian12 debian13 demo lint asan valgrind coverage fuzz bench torture interop
test:
	@tests/setup.sh $(FOR_TEST)
	@$(MAKE) --no-print-directory all unit examples
	@python3 tests/run.py $(BUILD)

debian12: RELEASE = bookworm
debian13: RELEASE = trixie
debian12 debian13:
	@tests/debian.sh $(RELEASE)

demo:
	@tests/setup.sh $(FOR_BUILD)
	@$(MAKE) --no-print-directory all
	@$(BUILD)/runpost demo --runs tests/fixtures/langgraph-runs.ndjson

lint:
	@tests/setup.sh $(FOR_TEST) lint
	@mkdir -p $(BUILD)
	@tests/lint/run.sh $(BUILD)

asan:
	@tests/setup.sh $(FOR_TEST)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
		HARDEN=-fPIE all unit examples \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
	@ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
		python3 tests/run.py $(BUILD)/asan

# The unit tests and the fuzz corpora, each in one process. Left out: those that need processes of
# their own, those that map more than valgrind has room for, and those that only count long.
VALGRIND_NOT = test_outbox_senders test_conformance_random test_http test_http_guard \
               test_guard test_scan test_control test_api test_outbox_import test_watch
valgrind:
	@tests/setup.sh $(FOR_TEST) valgrind
	@$(MAKE) --no-print-directory unit
	@for t in $(filter-out $(VALGRIND_NOT:%=$(BUILD)/tests/%), \
			$(UNIT_BIN) $(CONFORMANCE_BIN) $(FUZZ_BIN)); do \
		CK_FORK=no CK_DEFAULT_TIMEOUT=0 valgrind -q --error-exitcode=9 --leak-check=full \
			--errors-for-leak-kinds=definite --show-leak-kinds=definite $$t \
			>$(BUILD)/valgrind.log 2>&1 || \
			{ cat $(BUILD)/valgrind.log; echo "valgrind: $$t"; exit 1; }; \
		echo "valgrind: $$t"; done
	@echo "valgrind: clean"

# One story fails in this build: a library with counters in it cannot be linked as its users do.
coverage:
	@tests/setup.sh $(FOR_TEST)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage CFLAGS="-O0 -g --coverage" \
		LDFLAGS=--coverage HARDEN=-fPIE all unit examples
	@find $(BUILD)/coverage -name '*.gcda' -delete
	-@python3 tests/run.py $(BUILD)/coverage $(COVERAGE_ARGS)
	@python3 tests/coverage.py $(BUILD)/coverage

FUZZ_SANITIZE = -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
fuzz:
	@tests/setup.sh $(FOR_TEST) lint fuzz
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang HARDEN=-fPIE fuzzers \
		CFLAGS="-O1 -g -fno-omit-frame-pointer" SANITIZE="$(FUZZ_SANITIZE)"
	@python3 tests/fuzz/run.py --bin $(BUILD)/fuzz $(FUZZ_ARGS)

bench:
	@tests/setup.sh $(FOR_TEST)
	@$(MAKE) --no-print-directory all $(BENCH_BIN)
	@python3 tests/bench/run.py --bin $(BUILD) $(BENCH_ARGS)

torture:
	@tests/setup.sh $(FOR_TEST)
	@$(MAKE) --no-print-directory -j$$(nproc) all $(TORTURE_BIN) $(TORTURE_PRELOAD) \
		$(TORTURE_MUTANTS)
	@python3 tests/torture/run.py --bin $(BUILD) $(TORTURE_ARGS)

interop:
	@tests/setup.sh $(FOR_BUILD) interop
	@$(MAKE) --no-print-directory all
	@tests/interop/run.sh $(BUILD)

TO = $(DESTDIR)$(PREFIX)
TO_BASH = $(TO)/share/bash-completion/completions
TO_ZSH = $(TO)/share/zsh/site-functions
TO_FISH = $(TO)/share/fish/vendor_completions.d
.PHONY: install
install: all
	install -d $(TO)/bin $(TO)/libexec/runpost $(TO)/lib/pkgconfig $(TO)/include \
		$(TO)/share/man/man1 $(TO)/share/man/man5
	install -m 755 $(SENDER) $(TO)/libexec/runpost
	install -m 755 $(PROGRAMS) $(TO)/bin
	install -m 644 $(LIB) $(TO)/lib
	install -m 644 include/runpost.h $(TO)/include
	install -m 644 docs/man/*.1 $(TO)/share/man/man1
	install -m 644 docs/man/*.5 $(TO)/share/man/man5
	install -d $(TO_BASH) $(TO_ZSH) $(TO_FISH)
	install -m 644 tools/ctl/completion/runpostctl.bash $(TO_BASH)/runpostctl
	install -m 644 tools/ctl/completion/runpostctl.zsh $(TO_ZSH)/_runpostctl
	install -m 644 tools/ctl/completion/runpostctl.fish $(TO_FISH)
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' docs/runpost.pc.in \
		> $(TO)/lib/pkgconfig/runpost.pc

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
