# make setup course   install what is missing, build, run the labs, write outputs/index.html
# make setup check    install what is missing, run the tests
# make help           everything else

MODE  ?= release
BUILD ?= build/$(MODE)
ifeq ($(origin CC),default)
CC    := gcc
endif
ARCH  ?= native
# The same bytes everywhere: no contraction or reordering at the compiler's
# pleasure (docs/design.md, "The same bytes").
NUMERIC  = -ffp-contract=off -fno-math-errno -fno-trapping-math
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
OPT_release = -O3 -g
OPT_debug   = -Og -g3 -DDEBUG
OPT_asan    = -O1 -g -DDEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan    = -O1 -g -fsanitize=thread
OPT_double  = -O2 -g -DREAL_DOUBLE
OPT     ?= $(OPT_$(MODE))
MACHINE ?= $(if $(filter x86_64 amd64,$(shell uname -m)),-march=$(ARCH) -mprefer-vector-width=512,-mcpu=$(ARCH))
CFLAGS   = -std=gnu11 $(OPT) $(MACHINE) $(NUMERIC) $(WARNINGS) $(WERROR) -pthread -Icommon
LDFLAGS  = $(filter -fsanitize%,$(OPT)) -pthread $(STATIC)
LDLIBS   = -lm
STB     := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I stb 2>/dev/null || echo -I/usr/include/stb))
CHECK    = $(shell pkg-config --cflags --libs check)

COMMON := $(patsubst common/%.c,$(BUILD)/common/%.o,$(wildcard common/*.c))
LABS   := $(patsubst labs/%.c,%,$(wildcard labs/[0-9]*.c)) $(patsubst labs/%/main.c,%,$(wildcard labs/[0-9]*/main.c))
TESTS  := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
LABS   := $(sort $(LABS))

.PHONY: all
all: $(LABS:%=$(BUILD)/labs/%) ## build every lab

$(BUILD)/libcourse.a: $(COMMON)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(STB) -MMD -MP -c $< -o $@

# A lab is one file, or a folder with one file a chapter.
.SECONDEXPANSION:
chapters = $(if $(wildcard labs/$1/main.c),$(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard labs/$1/*.c))),$(BUILD)/labs/$1.o)
$(LABS:%=$(BUILD)/labs/%): $(BUILD)/labs/%: $$(call chapters,$$*) $(BUILD)/libcourse.a
	$(CC) $^ $(LDFLAGS) $(LDLIBS) -o $@

# make 06: build and run lab 06; ARGS="--step 2" goes to it.
number = $(firstword $(subst _, ,$1))
.PHONY: $(foreach lab,$(LABS),$(call number,$(lab)))
$(foreach lab,$(LABS),$(eval $(call number,$(lab)): $(BUILD)/labs/$(lab) ; $$< $$(ARGS)))

# A lab's test includes the lab's main.c or only file, and links its other chapters.
others = $(filter-out %/main.o,$(if $(wildcard labs/$1/main.c),$(call chapters,$1)))
$(TESTS:%=$(BUILD)/tests/%): $(BUILD)/tests/%: $(BUILD)/tests/%.o $$(call others,$$(patsubst lab_%,%,$$*)) $(BUILD)/libcourse.a
	$(CC) $^ $(LDFLAGS) $(CHECK) $(LDLIBS) -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
