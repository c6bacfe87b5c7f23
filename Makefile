# Every target is a few lines; what is longer is a script in .ci/.

.PHONY: demo test lint soak bench-core bench-c bench-python bench-node package-python package-node package docs \
        demo-web install

demo:            # The quickstart against the emulator for a minute (DEMO_SECONDS), tokens of 20 s; CLUSTER=3: a cluster.
	@.ci/demo

test:            # All set-up and every test.
	@.ci/test

lint:            # Formatting, clippy, documentation, scripts, the README's tables.
	@.ci/lint

soak:            # The long forms of the tests, and the fuzz targets.
	@.ci/soak

bench-core:      # keyless against the redis crate (BENCH_ARGS="--help").
	@.ci/prerequisites
	@bash -c '. .ci/toolchain.sh && cargo run --locked --release --package keyless-bench -- $(BENCH_ARGS)'

docs:            # The documentation of the library, in target/doc.
	@bash -c '. .ci/toolchain.sh && cargo doc --locked --no-deps --package keyless'

install:         # The C library, headers, pkg-config and CMake packages, below PREFIX (/usr/local); LIBDIR, DESTDIR.
	@.ci/install

bench-c:         # libkeyless against hiredis (BENCH_ARGS="--rounds 5 --time-ms 200").
	@.ci/bench-c

bench-python package-python:
	@echo "make $@ comes with the Python package." >&2; exit 1

bench-node package-node:
	@echo "make $@ comes with the Node.js package." >&2; exit 1

package:
	@echo "make $@ comes with the first package of a language other than Rust." >&2; exit 1

demo-web:
	@echo "make $@ comes with the web examples." >&2; exit 1
