# make setup course   install what is missing, build, run the labs, write outputs/index.html
# make setup check    install what is missing, build and pass the tests
# make help           everything else

MODE  ?= release
BUILD ?= build/$(MODE)
ifeq ($(origin CC),default)
CC    := gcc
endif
ARCH  ?= native
OUT   ?= outputs

# The same bytes everywhere: no contraction or reordering at the compiler's
# pleasure (docs/design.md, "The same bytes").
NUMERIC  = -ffp-contract=off -fno-math-errno -fno-trapping-math
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-psabi -Werror=implicit-function-declaration
OPT_release = -O3 -g
OPT_debug   = -Og -g3 -DDEBUG
# In a function as large as the tiles' (matmul.c) gcc would check each access by a call: a third of the speed.
# Checking where pointers go, besides what is read and written there, takes four fifths of what is left.
OPT_asan    = -O3 -g -DDEBUG -fsanitize=address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=all \
    -fno-omit-frame-pointer --param asan-instrumentation-with-call-threshold=1000000
# gcc 12 at -O3, with this sanitizer alone, reads a variable on the stack as if it were aligned for a vector.
OPT_tsan    = -O2 -g -fsanitize=thread
OPT_double  = -O2 -g -DREAL_DOUBLE
OPT_coverage = -O1 -g --coverage
OPT     ?= $(OPT_$(MODE))
MACHINE ?= $(if $(filter x86_64 amd64,$(shell uname -m)),-march=$(ARCH) -mprefer-vector-width=512,-mcpu=$(ARCH))
# Checks that cost nothing measurable; sanitizers have better ones, and without
# optimisation there are none.
HARDEN   = $(if $(filter -fsanitize% -O0,$(OPT)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
HARDEN_LINK = $(if $(filter Linux,$(shell uname -s)),-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
comma   := ,
CFLAGS   = -std=gnu11 $(OPT) $(HARDEN) $(MACHINE) $(NUMERIC) $(WARNINGS) $(WERROR) -pthread -Icommon
LDFLAGS  = $(filter -fsanitize% --coverage,$(OPT)) -pthread $(HARDEN_LINK) $(STATIC)
LDLIBS   = -lm
STB      = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I stb))
CHECK    = $(shell pkg-config --libs check)

COMMON := $(patsubst common/%.c,$(BUILD)/common/%.o,$(wildcard common/*.c))
LABS   := $(patsubst labs/%.c,%,$(wildcard labs/[0-9]*.c)) $(patsubst labs/%/main.c,%,$(wildcard labs/[0-9]*/main.c))
LABS   := $(sort $(LABS))
TESTS  := $(sort $(patsubst tests/%.c,%,$(wildcard tests/*.c)))
ifneq ($(shell uname -s),Linux)
TESTS  := $(filter-out faults,$(TESTS))
endif

.PHONY: all
all: $(LABS:%=$(BUILD)/labs/%) ## build every lab

$(BUILD)/libcourse.a: $(COMMON)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SYSTEM) -MMD -MP -c $< -o $@
$(BUILD)/chapters/%.o: labs/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/common/raster.o $(BUILD)/tests/figure.o $(BUILD)/tests/raster.o: SYSTEM = $(STB)

# A lab is one file, or a folder with one file a chapter (compiled elsewhere,
# for the lab's program has the folder's name).
.SECONDEXPANSION:
chapters = $(if $(wildcard labs/$1/main.c),$(patsubst labs/%.c,$(BUILD)/chapters/%.o,$(sort $(wildcard labs/$1/*.c))),$(BUILD)/labs/$1.o)
$(LABS:%=$(BUILD)/labs/%): $(BUILD)/labs/%: $$(call chapters,$$*) $(BUILD)/libcourse.a
	@mkdir -p $(@D)
	$(CC) $^ $(LDFLAGS) $(LDLIBS) -o $@

# make 06: build and run lab 06; ARGS="--step 2" goes to it.
number = $(firstword $(subst _, ,$1))
.PHONY: $(foreach lab,$(LABS),$(call number,$(lab)))
$(foreach lab,$(LABS),$(eval $(call number,$(lab)): $(BUILD)/labs/$(lab) ; $$< $$(ARGS)))

# A lab's test includes the lab's main.c or only file, and links its other chapters.
others = $(filter-out %/main.o,$(if $(wildcard labs/$1/main.c),$(call chapters,$1)))
$(TESTS:%=$(BUILD)/tests/%): $(BUILD)/tests/%: $(BUILD)/tests/%.o $$(call others,$$(subst lab_,,$$*)) $(BUILD)/libcourse.a
	$(CC) $^ $(LDFLAGS) $(CHECK) $(LDLIBS) -o $@

# The suite of faults calls inject.c in place of these (GNU ld's --wrap).
WRAPPED = malloc calloc realloc posix_memalign strdup realpath asprintf __asprintf_chk getline __getdelim open_memstream \
          open fopen fdopen tmpfile fileno read lseek stat fstat access flock mkdir rename fork pipe pthread_create
FAULTS  = $(WRAPPED:%=-Wl,--wrap=%)
$(BUILD)/tests/faults: $(BUILD)/tests/inject/inject.o
$(BUILD)/tests/faults: LDFLAGS += $(FAULTS)
$(LABS:%=$(BUILD)/faults/%): $(BUILD)/faults/%: $$(call chapters,$$*) $(BUILD)/tests/inject/inject.o $(BUILD)/libcourse.a
	@mkdir -p $(@D)
	$(CC) $^ $(LDFLAGS) $(FAULTS) $(LDLIBS) -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- running -----------------------------------------------------------------

.PHONY: course quick claims
course quick: all ## run every lab (quick: a fifth of the work); one ledger, one page
	@for lab in $(LABS); do $(BUILD)/labs/$$lab --quiet --out $(OUT) $(if $(filter quick,$@),--quick) $(ARGS) || exit 1; done
	@sh docs/course_page.sh $(OUT)

SEEDS ?= 20
claims: all ## every claim over SEEDS seeds: how many hold, the worst first
	@rm -rf build/claims
	@for lab in $(LABS); do for seed in $$(seq 1001 $$((1000 + $(SEEDS)))); do \
	    $(BUILD)/labs/$$lab --quiet --no-plots --seed $$seed --out build/claims/$$seed $(ARGS) || exit 1; done; done
	@awk -F'\t' 'FNR == 1 { split(FILENAME, path, "/"); lab = path[4]; next } \
	    $$6 == "skipped" { skipped[lab "\t" $$1]; next } \
	    { n[lab "\t" $$1]++; ok[lab "\t" $$1] += $$6 != "fails" } \
	    END { for (id in n) printf "%d of %d\t%s\n", ok[id], n[id], id; \
	          for (id in skipped) if (!(id in n)) printf "skipped\t%s\n", id }' build/claims/*/*/claims.tsv | sort -n -k1,1 -k4

# ---- testing -----------------------------------------------------------------

.PHONY: check tests run-tests asan valgrind tsan faults kill9 coverage mutations fuzz
tests: $(TESTS:%=$(BUILD)/tests/%)
run-tests: $(patsubst %,run-test-%,$(or $(ONLY),$(TESTS)))
.PHONY: $(TESTS:%=run-test-%)
$(TESTS:%=run-test-%): run-test-%: $(BUILD)/tests/% $(if $(ONLY),,all)
	@$(UNDER) $<

# Gradients are checked in double, where central differences are exact enough.
check: ## all tests: gradients in double, then everything in float
	@$(MAKE) --no-print-directory MODE=double WERROR=-Werror ONLY="gradients layers ops optim nn tape kernels recurrent transformer fused" run-tests
	@$(MAKE) --no-print-directory WERROR=-Werror run-tests

# Leaks count in the labs; a test of a message ends in the middle of things.
asan: ## the library's tests and the quick labs under the address and undefined-behaviour sanitizers
	@ASAN_OPTIONS=detect_leaks=0 $(MAKE) --no-print-directory MODE=asan ONLY="$(filter-out lab_%,$(TESTS))" run-tests
	@$(MAKE) --no-print-directory MODE=asan quick-labs

tsan: ## quick labs with two threads under the thread sanitizer
	@$(MAKE) --no-print-directory MODE=tsan ARGS="--threads 2" quick-labs

MEMCHECK  = valgrind -q --error-exitcode=99 --suppressions=tests/valgrind.supp
LEAKCHECK = --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
# Memcheck calls a function for each element of a fused multiply-add, which takes hundreds of times as long.  The labs,
# of whose numbers nothing is asked here, multiply and add instead; the tests, which compare numbers, do not.
UNFUSED   = '-D__builtin_fma(a,b,c)=((a)*(b)+(c))' '-D__builtin_fmaf(a,b,c)=((a)*(b)+(c))'
valgrind: ## the library's tests and the quick labs under valgrind memcheck (which knows AVX2 but not AVX-512; the pool's threads live to the end)
	@CK_TIMEOUT_MULTIPLIER=100 $(MAKE) --no-print-directory MODE=release ARCH=x86-64-v3 BUILD=build/valgrind \
	    UNDER="$(MEMCHECK)" ONLY="$(filter-out lab_%,$(TESTS))" run-tests
	@$(MAKE) --no-print-directory MODE=release ARCH=x86-64-v3 BUILD=build/memcheck OPT="$(OPT_release) $(UNFUSED)" \
	    UNDER="$(MEMCHECK) $(LEAKCHECK)" quick-labs

FAULT_STEP ?= 11
faults: $(LABS:%=$(BUILD)/faults/%) all ## quick labs in which each call of the system fails in turn (every FAULT_STEPth place that calls)
	@FAULT_STEP=$(FAULT_STEP) sh tests/inject/labs.sh $(filter-out all,$^)
	@sh tests/inject/environment.sh $(LABS:%=$(BUILD)/labs/%)

# Which lines and branches of common/ the suites of the library reach, in float.
coverage: ## lines and branches of common/ that the library's tests reach (gcov); 95 and 85 % are wanted
	@find build/coverage -name '*.gcda' -delete 2>/dev/null; true
	@$(MAKE) --no-print-directory MODE=coverage ONLY="$(filter-out lab_%,$(TESTS))" run-tests
	@gcov -b -n build/coverage/common/*.gcda 2>/dev/null | awk -v LINES=95 -v BRANCHES=85 -f tests/coverage.awk

mutations: ## the library broken in a hundred ways, one at a time: which ways does no test see?
	@sh tests/mutations.sh $(ARGS)

KILLS ?= 20
kill9: all ## every quick lab killed KILLS times (kill -9): no half file, and the next run works
	@sh tests/kill9.sh $(KILLS) $(LABS:%=$(BUILD)/labs/%)

FUZZ_SECONDS ?= 60
FUZZ_ONLY    ?= $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_WRAPPED  = exit malloc calloc realloc posix_memalign free fopen fclose getline __getdelim
# 128 bytes are many blocks of some sizes and one of others, and ten times the executions of 4096.
fuzz_limits_corpus = -max_len=128
.PHONY: $(FUZZ_ONLY:%=fuzz-%)
fuzz: $(FUZZ_ONLY:%=fuzz-%) ## coverage-guided fuzzing of what reads a user's bytes (clang), FUZZ_SECONDS each
$(FUZZ_ONLY:%=fuzz-%): fuzz-%:
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang OPT="-O1 -g -fsanitize=fuzzer-no-link,address,undefined" build/fuzz/fuzz_$*
	@mkdir -p build/fuzz/found/$*
	@build/fuzz/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=build/fuzz/ $(fuzz_limits_$*) \
	    $(FUZZ_ARGS) build/fuzz/found/$* tests/fuzz/$*

# A fuzzer links what it needs of the lab whose reader it is of.
lab_of_vectors   = 02_word2vec
lab_of_sentence  = 04_lstm_gates
lab_of_qkv       = 06_self_attention
lab_of_series    = 09_sequence_modeling
lab_of_prompt    = 10_in_context
$(BUILD)/fuzz_%: tests/fuzz/%.c $$(call others,$$(lab_of_$$*)) $(BUILD)/libcourse.a
	@rm -f $@.a && $(AR) rcs $@.a $(filter %.o,$^)
	$(CC) -std=gnu11 -DFUZZING $(OPT) -fsanitize=fuzzer $(NUMERIC) -Icommon -Itests $(STB) -MMD -MP -MF $@.d -MT $@ \
	    $(if $(shell grep ends.h $<),$(FUZZ_WRAPPED:%=-Wl$(comma)--wrap=%)) $< $@.a $(BUILD)/libcourse.a $(LDLIBS) -o $@

.PHONY: quick-labs
quick-labs: all
	@for lab in $(LABS); do echo "$$lab"; \
	    $(UNDER) $(BUILD)/labs/$$lab --quick --quiet --no-plots --out $(BUILD)/outputs $(ARGS) || exit 1; done

# The same bytes from other compilers, optimisation levels, vector widths,
# processors and numbers of threads.  A variant that this machine cannot build
# or run is skipped by name.
VARIANTS ?= gcc-O3-avx2 gcc-O3-avx512 gcc-O0 clang-O3 clang-O0 arm64
variant_gcc-O3-avx2   = CC=gcc OPT=-O3 ARCH=x86-64-v3
variant_gcc-O3-avx512 = CC=gcc OPT=-O3 ARCH=x86-64-v4 ARGS="--threads 2"
variant_gcc-O0        = CC=gcc OPT=-O0 ARCH=x86-64-v3
variant_clang-O3      = CC=clang OPT=-O3 ARCH=x86-64-v3 ARGS="--threads 1"
variant_clang-O0      = CC=clang OPT=-O0 ARCH=x86-64-v3
variant_arm64         = CC=aarch64-linux-gnu-gcc OPT=-O2 MACHINE=-march=armv8-a STATIC=-static \
                        UNDER=$(shell command -v qemu-aarch64 qemu-aarch64-static)
can_gcc-O3-avx2   = grep -qw avx2 /proc/cpuinfo
can_gcc-O3-avx512 = grep -qw avx512vl /proc/cpuinfo
can_gcc-O0        = $(can_gcc-O3-avx2)
can_clang-O3      = command -v clang && $(can_gcc-O3-avx2)
can_clang-O0      = $(can_clang-O3)
can_arm64         = command -v aarch64-linux-gnu-gcc && command -v qemu-aarch64 || command -v qemu-aarch64-static
# Times differ from run to run; a picture's bytes depend on the system's fonts.
NOT_COMPARED = -x 'timing.tsv' -x '*_time.*' -x '*.png' -x '*.gp'

.PHONY: identical $(VARIANTS:%=identical-%)
identical: $(VARIANTS:%=identical-%) ## compare the bytes of compilers, vector widths, threads and processors
	@first=; for v in $(VARIANTS); do here=build/identical/$$v/outputs; [ -d $$here ] || continue; \
	    if [ -z "$$first" ]; then first=$$here; continue; fi; \
	    diff -r $(NOT_COMPARED) $$first $$here || exit 1; echo "identical: $$first $$here"; done
$(VARIANTS:%=identical-%): identical-%:
	@rm -rf build/identical/$*/outputs
	@if { $(can_$*); } >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory BUILD=build/identical/$* $(variant_$*) quick-labs; \
	else echo "skipped: $* (its compiler or processor is not here)"; fi

# Peers that are not installed are skipped; ROUNDS=5 ONLY=gpt THREADS=1 choose.
.PHONY: bench
bench: all $(addprefix $(BUILD)/tests/bench/,course peak zipf startup) ## times against the peers that are installed, in pairs
	@$(CC) $(CFLAGS) tests/bench/openblas_peer.c -lopenblas -o $(BUILD)/tests/bench/openblas_peer 2>/dev/null || true
	@sh tests/bench/run.sh $(BUILD)/tests/bench
	@[ -n "$(ONLY)" ] || sh tests/bench/skipgram.sh $(BUILD)/tests/bench $(BUILD)/labs/02_word2vec
	@[ -n "$(ONLY)" ] || $(BUILD)/tests/bench/startup $(BUILD)/tests/bench/outputs $(LABS:%=$(BUILD)/labs/%)

.PHONY: quality
quality: all $(BUILD)/tests/bench/quality ## word vectors beside word2vec's, gensim's and fastText's, scored alike (20 s a text; SEEDS=10)
	@sh tests/bench/quality.sh $(BUILD)/tests/bench $(BUILD)/labs/02_word2vec
$(BUILD)/tests/bench/quality: $(addprefix $(BUILD)/chapters/02_word2vec/,evaluate.o vectors.o)
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libcourse.a
	$(CC) $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS) $(LDLIBS) -o $@

.PHONY: golden
golden: all ## rewrite the expected traces and the handouts' figures
	@for lab in $(LABS); do mkdir -p tests/expected/$$lab docs/figures/$$lab; \
	    $(BUILD)/labs/$$lab --quick --quiet --no-plots --out build/golden || exit 1; \
	    cp build/golden/$$lab/trace.txt build/golden/$$lab/claims.tsv tests/expected/$$lab/; \
	    $(BUILD)/labs/$$lab --quiet --out $(OUT) || exit 1; cp $(OUT)/$$lab/*.png docs/figures/$$lab/; done

.PHONY: tidy book clean help
# Of what gcc's analyser says, three kinds are left out, for gcc 12 is wrong each
# time: it loses a bool that is copied from a bit (struct Part) and an array that a
# loop has filled, takes for leaked what a child has open when it ends (gnuplot.c),
# and for NULL what the callers have excluded (the first bars of a panel of bars,
# an entry drawn before).  cppcheck knows no _Noreturn, and takes a function that
# was given NULL (tape_variable(..., NULL)) to return it.
ANALYZER = -O2 -fanalyzer -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-malloc-leak -Wno-analyzer-null-dereference
CPPCHECK = '-D_Noreturn=__attribute__((noreturn))' --suppress=nullPointer --suppress=ctunullpointer --inline-suppr
SOURCES  = $(wildcard common/*.c labs/*.c labs/*/*.c)

tidy: $(SOURCES:%=tidy/%) ## static analysis: cppcheck, gcc -fanalyzer and clang-tidy
	cppcheck -q --std=c11 --enable=warning,performance,portability $(CPPCHECK) --error-exitcode=1 -Icommon common labs

.PHONY: $(SOURCES:%=tidy/%)
$(SOURCES:%=tidy/%): tidy/%:
	@gcc $(CFLAGS) $(ANALYZER) -Werror $(STB) -c $* -o /dev/null
	@clang-tidy --quiet --warnings-as-errors='*' $* -- $(CFLAGS) $(STB) 2>/dev/null

book: ## the handouts as one page: outputs/book.html
	@mkdir -p $(OUT)
	pandoc --standalone --embed-resources --toc --mathml --resource-path=docs --css docs/course.css \
	    --metadata title="How language models came to be, in C" $(sort $(wildcard docs/[0-9]*.md)) docs/errata.md -o $(OUT)/book.html

clean: ## remove what was built (outputs stay)
	rm -rf build

help: ## this list
	@grep -hE '^[a-z][a-z -]*:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 18
	@echo "NN                build and run lab NN: make 02 ARGS=\"--similar bank\""

# ---- installing --------------------------------------------------------------

# What is needed, how to see that it is there, and what packages call it.
.PHONY: setup setup-identical
setup: ## install what is missing: compiler, gnuplot, Check, stb, fonts, pandoc
	@missing=; need() { eval "$$1" >/dev/null 2>&1 || missing="$$missing $$2"; }; \
	need 'command -v gcc && echo "#include <stdio.h>" | gcc -E -' 'gcc libc6-dev'; need 'command -v pkg-config' pkg-config; \
	need 'pkg-config --exists check' check; need 'pkg-config --exists stb' libstb-dev; \
	need 'command -v gnuplot' gnuplot-nox; need 'command -v fc-list' fontconfig; \
	need 'fc-list :lang=ko | grep -q .' fonts-nanum; need 'command -v pandoc' pandoc; $(INSTALL)

setup-identical: ## install the other compilers that make identical compares
	@missing=; need() { eval "$$1" >/dev/null 2>&1 || missing="$$missing $$2"; }; \
	need 'command -v clang' clang; need 'command -v qemu-aarch64' qemu-user; \
	need 'command -v aarch64-linux-gnu-gcc' 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross'; $(INSTALL)

INSTALL = [ -z "$$missing" ] && exit 0; \
	root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	if command -v apt-get >/dev/null; then \
	    echo "installing:$$missing"; $$root apt-get update -qq && \
	    $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	elif command -v brew >/dev/null; then \
	    echo "installing:$$missing"; \
	    brew install $$(echo "$$missing" | sed 's/gcc libc6-dev//; s/libstb-dev/stb/; s/gnuplot-nox/gnuplot/; s/fonts-nanum/font-nanum-gothic/'); \
	else echo "install these with your system's package manager:$$missing"; exit 1; fi

# With `make setup course`, nothing is compiled before setup is done, -j or not
# (what these targets call by $(MAKE) still runs in parallel).
ifneq ($(filter setup%,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
