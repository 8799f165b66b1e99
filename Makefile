# Thin: each target says what it does and calls a tool. Meson does the work.
BUILD ?= build
LOG ?=

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	tools/install-deps run
	meson setup $(BUILD) --buildtype=debugoptimized

# Build and start relaypassd in the foreground: make run [LOG=/var/log/mail.log]
run: all
	tools/run $(BUILD) $(LOG)

# Build and run every test; the last line counts them.
test:
	tools/install-deps test
	tools/test

# The same, longer: crash, fuzz, model and rotation tests with large counts.
soak:
	tools/install-deps test
	tools/test --soak

# Ratios against yardsticks in the same run.
bench:
	tools/install-deps test
	tools/bench

lint:
	tools/install-deps test
	$(MAKE) all
	tools/lint $(BUILD)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	meson install -C $(BUILD)

clean:
	rm -rf --one-file-system $(BUILD) build-*

.PHONY: all run test soak bench lint format install clean
