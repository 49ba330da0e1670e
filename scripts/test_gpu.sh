#!/usr/bin/env bash
# What only a machine with an NVIDIA GPU can show, and the times of the kernels there.
#
#   scripts/test_gpu.sh [FILTER...]        builds and runs it here
#   scripts/test_gpu.sh --bundle FOLDER    builds it, and puts all that another machine needs into FOLDER
#   FOLDER/test_gpu.sh [FILTER...]         runs it there: no Rust, no source, no GStreamer
#   scripts/test_gpu.sh --simulated [FILTER...]   tries the tests themselves, where libcuda.so.1 is the simulator's
#
# Tests that need more than the driver are skipped, with the reason, unless these name it (several as in PATH, but for
# the last):
#
#   TENSORRT_LEAN     libnvinfer_lean.so.10, .11 (scripts/lean.sh FOLDER --fetch)
#   TENSORRT          libnvinfer.so.10, .11, with libnvonnxparser beside it
#   ONNXRUNTIME_GPU   libonnxruntime.so of a GPU build, with its providers beside it
#
# Ends with 0, 69 without a GPU, 101 where a test failed. Nothing else should use the GPU meanwhile.
set -euo pipefail

fail() { printf 'test_gpu: %s\n' "$*" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)

# Builds a test program and prints its path.
build() {
  local found
  found=$(cd "$here/.." && cargo test -q --locked --package gpu --test real_gpu --no-run --message-format=json |
    sed -n '/"kind":\["test"\]/s/.*"executable":"\([^"]*\)".*/\1/p')
  [ -x "$found" ] || fail "cargo did not name the program that it built"
  echo "$found"
}

if [ "${1:-}" = --bundle ]; then
  [ $# -eq 2 ] || fail "usage: scripts/test_gpu.sh --bundle FOLDER"
  program=$(build)
  mkdir -p "$2"
  cp "$program" "$2/real_gpu"
  cp "$0" "$2/test_gpu.sh"
  needs=$(LC_ALL=C grep -ao 'GLIBC_2\.[0-9]*' "$2/real_gpu" | sort -uV | tail -1)
  echo "$2: $(du -sh "$2" | cut -f1), for $(uname -m) with ${needs/_/ } or newer; copy it, and run test_gpu.sh there"
  exit
fi

program=$here/real_gpu
[ -x "$program" ] || program=$(build)
# A device in trouble can hang, and hang whoever asks it.
limit=()
if command -v timeout >/dev/null; then limit=(timeout --kill-after=10 1800); fi
exec "${limit[@]}" "$program" --ignored "$@"
