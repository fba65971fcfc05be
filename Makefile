# `make run` and `make test` are all a new machine needs: they install what is missing, and say so.

CARGO ?= cargo
# Passed on: `make run ARGS="--prompt 'Hello'"`, `make test ARGS="--test floors"`.
ARGS ?=

ifneq ($(OS),Windows_NT)
# Where rustup puts cargo, for a terminal opened before Rust was installed.
export PATH := $(PATH):$(HOME)/.cargo/bin
SETUP := setup
endif

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(SETUP) ## Open the window; without a display, make a film, target/film.mp4
ifeq ($(OS),Windows_NT)
	$(CARGO) run --release -- $(ARGS)
else
	@if [ "$$(uname -s)$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" = Linux ] && [ -z '$(subst ','\'',$(ARGS))' ]; then \
		echo "There is no display here: making a film, target/film.mp4." >&2; \
		NODEVICE_SELECT=1 $(CARGO) run --release -- record -o target/film.mp4 --force && \
		echo "The film is $(CURDIR)/target/film.mp4" >&2; \
	else \
		$(CARGO) run --release -- $(ARGS); \
	fi
endif

.PHONY: test
test: $(SETUP) ## Run all tests
	$(CARGO) test --release $(ARGS)

.PHONY: bench
bench: $(SETUP) ## Measure speed
	$(CARGO) bench $(ARGS)

# Coverage for the fuzzer, on the stable toolchain.
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
# So that build scripts and macros are not slowed down.
FUZZ_TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_SECONDS ?= 3600

.PHONY: fuzz
fuzz: $(SETUP) ## Feed the loader what nobody would write, for an hour (FUZZ_SECONDS)
	@mkdir -p fuzz/corpus fuzz/artifacts
	RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) run --release --manifest-path fuzz/Cargo.toml --locked \
		--target $(FUZZ_TARGET) --bin load -- fuzz/corpus fuzz/seeds \
		-dict=fuzz/load.dict -artifact_prefix=fuzz/artifacts/ \
		-max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=1024 -max_len=32768 $(ARGS)

.PHONY: shots
shots: $(SETUP) ## Render the standard views to target/shots
	$(CARGO) run --release --example shots -- $(ARGS)

.PHONY: gallery
gallery: $(SETUP) ## Make the pictures of GALLERY.md anew, by the commands beneath them
	$(CARGO) build --release
	NODEVICE_SELECT=1 .ci/gallery target/release/llmscope

.PHONY: check
check: fmt floors deny clippy doc no-viewer no-h264 ## Run every check but the tests

.PHONY: fmt
fmt: ## Is the code formatted?
	$(CARGO) fmt --check

.PHONY: floors
floors: ## Does every module keep to its floor? (compiled alone: a second)
	@mkdir -p target
	CARGO_MANIFEST_DIR="$(CURDIR)" rustc --test --edition 2024 -o target/floors tests/floors.rs
	target/floors --quiet

.PHONY: deny
deny: ## Are the licences and sources of the dependencies allowed?
	.ci/deny

.PHONY: clippy
clippy: $(SETUP) ## Lint
	$(CARGO) clippy --release --all-targets --locked -- -D warnings

.PHONY: doc
doc: $(SETUP) ## Do the docs build without a warning?
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --no-deps --locked

# Nothing that opens a window or draws may come with the core.
VIEWER_CRATES := ^(bevy|wgpu|naga|winit|egui)

.PHONY: no-viewer
no-viewer: $(SETUP) ## Does the core build without the viewer and its crates?
	$(CARGO) check --release --no-default-features --locked
	@names=$$($(CARGO) tree --locked --no-default-features -e normal --prefix none --format '{p}') && \
	if echo "$$names" | grep -E '$(VIEWER_CRATES)'; then \
		echo "The core must not depend on these crates" >&2; exit 1; \
	fi

.PHONY: no-h264
no-h264: $(SETUP) ## Does the viewer build without H.264?
	$(CARGO) check --release --no-default-features --features viewer --locked

.PHONY: setup
setup: # No `##`: the other commands run it.
	@sh .ci/setup
