# make demo     installs what is missing, builds, runs the main job on built-in data
# make test     builds and passes the tests
# make          builds ./thimble           make bench    speed, as figures and ratios
# make asan     the tests under ASan/UBSan  make arrows   who may include whom
# make board-log  tests/boards/cortex-m4.log from an emulated board
# make fuzz     PAIRS=20000 networks and plans against layer-by-layer execution
# make fuzz-tflite  SECONDS=600  any bytes whatever as a .tflite model
# make install  PREFIX=/usr/local           make clean

CC      ?= gcc
PREFIX  ?= /usr/local
BUILD   ?= build
OPT     ?= -O3
ARCH    ?= -march=native
WERROR  ?=
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown commit)
DATADIR := $(PREFIX)/share/thimble

WARN     = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla $(WERROR)
CFLAGS  += -std=c11 $(OPT) -g -fopenmp -I. -MMD -MP $(WARN) $(SANITIZE)
LDFLAGS += -fopenmp $(SANITIZE)
LDLIBS   = -lopenblas -lyaml -lsqlite3 -ljpeg -lpng -ljansson -lm

# A package for each line of what the build and the tests need.
PACKAGES = gcc libc6-dev libopenblas-dev libyaml-dev libsqlite3-dev check libjpeg-dev libpng-dev \
           libjansson-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm

# Who may include whom: a folder, then what its files may include besides their own.
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
config: base network dataset estimator search supernet evaluator runtime/tb.h
calibration: base network quant estimator exporter evaluator runtime/tb.h
job: base network dataset nn quant estimator search supernet evaluator results config
report: base network quant estimator evaluator results config job
cli: base network nn quant estimator exporter dataset runtime evaluator search supernet results config calibration job report
endef
export ARROWS

MODULES ?= base network runtime estimator search dataset nn supernet quant exporter evaluator results config \
           calibration job report
LIB      = $(BUILD)/libthimble.a
OBJECTS  = $(patsubst %.c,$(BUILD)/%.o,$(foreach m,$(MODULES),$(wildcard $(m)/*.c)))
CLI      = $(patsubst %.c,$(BUILD)/%.o,$(filter-out cli/main.c,$(wildcard cli/*.c)))
TESTS    = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/test_*.c))
BENCHES  = $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/bench_*.c))

all: thimble

thimble: $(BUILD)/thimble
	@[ $(BUILD) != build ] || ln -sf $< $@

$(BUILD)/thimble: $(BUILD)/cli/main.o $(LIB)
	$(CC) -o $@ $(BUILD)/cli/main.o $(LIB) $(LDFLAGS) $(LDLIBS)

$(LIB): $(OBJECTS) $(CLI)
	@rm -f $@
	ar rcs $@ $^

# nn/ alone may contract and use the machine's widest vectors; runtime/ and quant/ mind integers.
# The runtime's channels are few: 256 bits compute a pointwise 16->96 at 7.5 GMAC/s, 512 at 1.9.
VECTORS = $(if $(filter x86_64,$(shell uname -m)),-mprefer-vector-width=$(1))
$(BUILD)/nn/%.o $(BUILD)/tests/bench_training.o: CFLAGS += -ffp-contract=fast $(call VECTORS,512) $(ARCH)
$(BUILD)/runtime/%.o: CFLAGS += -Wconversion $(call VECTORS,256) $(ARCH)
$(BUILD)/quant/%.o: CFLAGS += -Wconversion
$(BUILD)/base/file.o: CFLAGS += -DTHIMBLE_SOURCE_DIR='"$(CURDIR)"'
$(BUILD)/cli/cmd_version.o $(BUILD)/cli/job_run.o: CFLAGS += -DTHIMBLE_COMMIT='"$(COMMIT)"'

# The host's int8 kernels, one source for each instruction set; which is run, evaluator/host_isa.c
# finds out on the machine. gcc 12 else moves each sum twice in every turn of the inner loops.
X86  = $(if $(filter x86_64,$(shell uname -m)),$(1))
HOST = $(call X86,$(1)) $(if $(findstring clang,$(CC)),,-fno-tree-coalesce-vars)
$(BUILD)/evaluator/host_avx512.o: CFLAGS += $(call HOST,-mavx512f -mavx512bw -mavx512vl -mavx512vnni)
$(BUILD)/evaluator/host_avx_vnni.o: CFLAGS += $(call HOST,-mavx2 -mavxvnni)
$(BUILD)/evaluator/host_avx2.o: CFLAGS += $(call HOST,-mavx2)

# Recompiled when the flags change, so that one tree serves gcc, clang and the sanitizers.
FLAGS := $(CC) $(CFLAGS) $(LDFLAGS) $(ARCH)
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(dir $@)
	$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/test_%: $(BUILD)/tests/test_%.o $(LIB)
	$(CC) -o $@ $< $(LIB) $(LDFLAGS) -lcheck -lsubunit -lrt -lpthread $(LDLIBS)

$(BUILD)/bench_%: $(BUILD)/tests/bench_%.o $(LIB)
	$(CC) -o $@ $< $(LIB) $(LDFLAGS) $(LDLIBS)

$(BUILD)/bench_kernels: LDLIBS += -lcheck -lsubunit -lrt -lpthread

tests: $(TESTS)
benches: $(BENCHES)

test: thimble tests arrows
	@THIMBLE=$(BUILD)/thimble tests/run.sh $(TESTS)

# The same tests with every address and every undefined behaviour watched.
asan:
	$(MAKE) test BUILD=$(BUILD)/asan OPT=-O2 SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"

# The reader of .tflite files against libFuzzer (clang, its runtime and libomp-dev), from the seeds
# in tests/corpus on, for SECONDS. What it finds stays in $(BUILD)/fuzz. All but training and jobs.
SECONDS = 600
FUZZ    = CC=clang BUILD=$(BUILD)/fuzz OPT=-O1 CLI= \
          MODULES="base network runtime estimator dataset nn quant exporter evaluator" \
          SANITIZE="-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined"
fuzz-tflite:
	@$(MAKE) -s $(FUZZ) $(BUILD)/fuzz/fuzz_tflite
	@mkdir -p $(BUILD)/fuzz/corpus
	$(BUILD)/fuzz/fuzz_tflite -max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=2048 \
	    -max_len=65536 -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/ \
	    $(BUILD)/fuzz/corpus tests/corpus/tflite

$(BUILD)/fuzz_tflite: $(BUILD)/tests/fuzz_tflite.o $(LIB)
	$(CC) -fsanitize=fuzzer -o $@ $< $(LIB) $(LDFLAGS) $(LDLIBS)

bench: thimble $(BENCHES)
	@for b in $(BENCHES); do $$b || exit 1; done

PAIRS ?= 20000
fuzz: $(BUILD)/fuzz_plan
	@$(BUILD)/fuzz_plan $(PAIRS)

$(BUILD)/fuzz_plan: $(BUILD)/tests/fuzz_plan.o $(LIB)
	$(CC) -o $@ $< $(LIB) $(LDFLAGS) $(LDLIBS)

# One of them: make bench-planner
bench-%: thimble $(BUILD)/bench_%
	@$(BUILD)/bench_$*

# The example of a board's log, anew: after a change of TB_VERSION, of the planner or of
# calibration/calibration_nets.c, with which programs refuse the old one.
board-log: thimble
	$(BUILD)/thimble calibrate --target cortex-m4 --nets 36 --export $(BUILD)/bench
	$(MAKE) -s -C $(BUILD)/bench
	$(MAKE) -s -C $(BUILD)/bench run > tests/boards/cortex-m4.log

arrows:
	@tests/arrows.sh

# Installs only what is missing; needs root, or sudo, only then.
deps:
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p 2>/dev/null | grep -q '^Status: install ok' || echo $$p; done); \
	[ -z "$$missing" ] && exit 0; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	echo "installing: $$missing"; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing

DEMO_DB = $(BUILD)/demo.db
demo: deps
	$(MAKE) thimble
	./thimble search configs/jobs/demo.yaml --resume --db $(DEMO_DB)
	@echo; echo "Look around: ./thimble runs --db $(DEMO_DB); ./thimble show last --db $(DEMO_DB); ./thimble --help"

install: thimble
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(DATADIR)
	install -m 755 $(BUILD)/thimble $(DESTDIR)$(PREFIX)/bin/thimble
	cp -R configs $(DESTDIR)$(DATADIR)/
	cp -R runtime $(DESTDIR)$(DATADIR)/

clean:
	rm -rf $(BUILD) thimble

FORCE:
.PHONY: all thimble deps demo tests test benches bench board-log asan fuzz fuzz-tflite arrows clean install FORCE
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
