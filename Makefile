# make demo     installs what is missing, builds, runs the main job on built-in data
# make test     builds and passes the tests
# make          builds ./thimble          make bench    performance, as ratios
# make asan     the tests under ASan/UBSan make arrows   who may include whom
# make install  PREFIX=/usr/local

CC      ?= gcc
PREFIX  ?= /usr/local
BUILD   ?= build
OPT     ?= -O3
ARCH    ?= -march=native
WERROR  ?=
WARN     = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla $(WERROR)
CFLAGS  += -std=c11 $(OPT) -g -fopenmp -I. -MMD -MP $(WARN) $(SANITIZE)
LDFLAGS += -fopenmp $(SANITIZE)
LDLIBS   = -lopenblas -lyaml -lsqlite3 -ljpeg -lpng -ljansson -lm

PACKAGES = gcc libc6-dev libopenblas-dev libyaml-dev libsqlite3-dev check pkg-config libjpeg-dev \
           libpng-dev libjansson-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm

# Who may include whom: a folder, then the folders its files may include.
define ARROWS
runtime:
base:
network: base
dataset: base
results: base
estimator: base network runtime/scratch.h
nn: base network
search: base network estimator
supernet: base network nn dataset
quant: base network nn
exporter: base network nn quant estimator runtime
evaluator: base network nn quant estimator exporter dataset runtime
cli: base network nn quant estimator exporter dataset runtime evaluator search supernet results
endef
export ARROWS

MODULES = base network runtime estimator search dataset nn supernet quant exporter evaluator results
LIB     = $(BUILD)/libthimble.a
OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(foreach m,$(MODULES),$(wildcard $(m)/*.c)))
CLI     = $(patsubst %.c,$(BUILD)/%.o,$(filter-out cli/main.c,$(wildcard cli/*.c)))
TESTS   = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/test_*.c))
BENCHES = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/bench_*.c))

all: thimble

thimble: $(BUILD)/cli/main.o $(LIB)
	$(CC) -o $@ $(BUILD)/cli/main.o $(LIB) $(LDFLAGS) $(LDLIBS)

$(LIB): $(OBJECTS) $(CLI)
	@rm -f $@
	ar rcs $@ $^

# nn/ alone may contract and use the machine's vectors; runtime/ and quant/ mind integers
$(BUILD)/nn/%.o: CFLAGS += -ffp-contract=fast -mprefer-vector-width=512 $(ARCH)
$(BUILD)/runtime/%.o $(BUILD)/quant/%.o: CFLAGS += -Wconversion
$(BUILD)/runtime/%.o: CFLAGS += $(ARCH)

$(BUILD)/%.o: %.c
	@mkdir -p $(dir $@)
	$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/test_%: $(BUILD)/tests/test_%.o $(LIB)
	$(CC) -o $@ $< $(LIB) $(LDFLAGS) -lcheck -lsubunit -lrt -lpthread $(LDLIBS)

$(BUILD)/bench_%: $(BUILD)/tests/bench_%.o $(LIB)
	$(CC) -o $@ $< $(LIB) $(LDFLAGS) $(LDLIBS)

test: thimble $(TESTS) arrows
	tests/run.sh $(TESTS)

arrows:
	@tests/arrows.sh

clean:
	rm -rf $(BUILD) thimble

.PHONY: all deps demo test bench asan arrows clean install
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
