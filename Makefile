# Thin front of meson: every target installs what it needs, builds, and goes.
BUILD ?= build
ASAN = build-asan
TSAN = build-tsan

# quietly COMMAND: shows what it printed only when it failed.
quietly = { said=$$($(1) 2>&1) || { echo "$$said"; exit 1; }; }

.PHONY: all setup run test compat bench fuzz fmt check clean

all: setup
	@[ -f $(BUILD)/build.ninja ] || $(call quietly,meson setup $(BUILD) --buildtype=release -Ddebug=true)
	@ninja -C $(BUILD) --quiet

setup:
	@tools/setup build

run: all
	@tools/setup node
	@$(if $(filter 0,$(shell id -u)),,sudo )tools/run

$(ASAN)/build.ninja:
	@$(call quietly,meson setup $(ASAN) -Db_sanitize=address,undefined -Db_lundef=false)

$(TSAN)/build.ninja:
	@$(call quietly,meson setup $(TSAN) -Db_sanitize=thread -Db_lundef=false)

test: setup
	@tools/setup test
	@$(MAKE) --no-print-directory all $(ASAN)/build.ninja $(TSAN)/build.ninja
	@tests/run

compat: all
	@tests/compat/run

bench: all
	@tests/bench/run

fuzz: setup
	@tools/setup test
	@tests/fuzz/run $${SECONDS_EACH:-600}

fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf $(BUILD) $(ASAN) $(TSAN) build-fuzz
