# make demo | test | check | bench | setup

.PHONY: help setup demo test test-gpu check bench

help:
	@echo 'make demo   install what is missing, build, and show Watchkeeper at work (Ctrl-C ends it)'
	@echo 'make test   install what is missing and run all tests'
	@echo 'make test-gpu   what only an NVIDIA GPU can show; fails without one'
	@echo 'make check  format, lints, documentation'
	@echo 'make bench  speed, against bare inference in the same run'

setup:
	@scripts/setup.sh

demo: setup
	cargo build --release --locked --package watchkeeper --package streetscene
	target/release/watchkeeper demo

test: setup
	cargo test --workspace --locked

test-gpu:
	@scripts/test_gpu.sh

check: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

bench: setup
	cargo bench --locked
