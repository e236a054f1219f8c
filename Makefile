# What is done here, and how. `make` alone lists it.
.PHONY: help dev test check fmt bench openapi mutants screenshots soak fuzz streams

CARGO ?= cargo
DENY_VERSION := 0.20.2
DENY := $(shell command -v cargo-deny 2>/dev/null || echo target/tools/bin/cargo-deny)

help:
	@echo "make dev      build and run everything on loopback, with nothing to set up"
	@echo "make test     every test: cargo, PostgreSQL, real authorization servers, SDK, browser, a short benchmark"
	@echo "make check    formatting, lints, documentation, licences: all as errors"
	@echo "make fmt      format the code"
	@echo "make bench    the load benchmark, next to nginx and others; the result goes into docs/performance.md"
	@echo "make openapi  print the OpenAPI document; DOOR=informer or membrane for that door's"
	@echo "make mutants  break the code on purpose, one line at a time; a test must notice each"
	@echo "make soak     nodes killed and frozen under load, then mixed load that must leave nothing: forty minutes; SOAK=load for one"
	@echo "make fuzz     targets, headers and Retry-After against made-up input; FUZZ_SECONDS= for each, 60 when absent"
	@echo "make streams  a gigabyte each way and ten thousand idle streams through the proxy"
	@echo "make screenshots  take the pictures of the connect page in docs/images anew"

dev:
	$(CARGO) run -p claviger -- dev

# `cargo test` alone needs nothing installed. e2e/run installs what it needs, and runs the stories of the
# engine and the server once more on a PostgreSQL of its own.
test:
	$(CARGO) test --workspace
	tests/mutants/run --check
	e2e/run
	bench/run --short

check: $(DENY)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	$(CARGO) fetch --locked --quiet
	$(DENY) --offline --log-level error check licenses bans sources

target/tools/bin/cargo-deny:
	@echo "cargo-deny is missing: building version $(DENY_VERSION) into target/tools (once, about a minute)"
	$(CARGO) install cargo-deny --locked --version $(DENY_VERSION) --debug --root target/tools

fmt:
	$(CARGO) fmt --all

bench:
	bench/run

openapi:
	@$(CARGO) run --quiet -p claviger -- openapi $(DOOR)

mutants:
	tests/mutants/run

screenshots:
	E2E_SKIP_CARGO=1 e2e/run tests/pictures.py

# SOAK=refresh or SOAK=load for one of the two, SEED= to repeat one, LOAD_MINUTES= for a shorter load.
SOAK ?= refresh load
soak:
	E2E_SKIP_CARGO=1 e2e/run $(patsubst refresh,tests/soak.py,$(patsubst load,tests/load.py,$(SOAK)))

# Optimised: a debug build tries a tenth as many.
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} $(CARGO) test --release -p claviger-engine --lib proxy::fuzz_tests -- --nocapture --test-threads=2

streams:
	STREAM_BYTES=1073741824 STREAM_COUNT=10000 E2E_SKIP_CARGO=1 e2e/run tests/test_streams.py -s
