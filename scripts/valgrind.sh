#!/usr/bin/env bash
# Runs tests of the TensorRT binding under valgrind: those of the crate against its fake library, and those of the
# simulated GPU against both simulated TensorRTs. Any invalid access, use of what was never written, or memory that
# nothing points to any more ends it with status 9.
#
#   scripts/valgrind.sh                     all of them: some minutes on two cores
#   scripts/valgrind.sh gpu-sim stack       the whole test file stack.rs of the package gpu-sim
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'valgrind.sh: %s\n' "$*" >&2; exit 1; }
command -v valgrind >/dev/null || fail "valgrind is missing; on Debian and Ubuntu: apt-get install valgrind"

# Test files by package. What leaks on purpose is not here: tensorrt-rs's abandon, gpu-sim's sticky and cuda.
declare -A files=(
  [tensorrt-rs]="bound building loading methods objects tables"
  [gpu-sim]="tensorrt tensorrt_faults tensorrt_misuse stack locking frame_path"
)
# The shipped detector for four cameras takes longer than all the rest; locking does the same with a small model.
skip=(--skip four_cameras_share_one_engine)
if [ $# -gt 0 ]; then
  skip=()
  package=$1
  shift
  [ -n "${files[$package]:-}" ] || fail "$package is none of: ${!files[*]}"
  files=([$package]="${*:-${files[$package]}}")
fi

options=(
  --quiet --error-exitcode=9
  # Suppressions name test functions, far down the stack.
  --num-callers=50
  --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
  # Threads take turns fairly: a stream's thread must not starve the one that waits for it.
  --fair-sched=yes
  --suppressions=crates/tensorrt-rs/tests/valgrind.supp
  --suppressions=tests/gpu-sim/tests/valgrind.supp
)
export RUST_BACKTRACE=0
if [ -z "${ORT_DYLIB_PATH:-}" ] && [ -e .deps/onnxruntime/libonnxruntime.so ]; then
  export ORT_DYLIB_PATH=$PWD/.deps/onnxruntime/libonnxruntime.so
fi

status=0
for package in "${!files[@]}"; do
  wanted=()
  for file in ${files[$package]}; do wanted+=(--test "$file"); done
  built=$(cargo test --locked --package "$package" --no-run --message-format=json "${wanted[@]}")
  mapfile -t programs < <(sed -n '/"kind":\["test"\]/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built")
  [ $((2 * ${#programs[@]})) -eq ${#wanted[@]} ] || fail "$package: cargo named ${#programs[@]} test programs"
  for program in "${programs[@]}"; do
    printf 'valgrind.sh: %s, %s\n' "$package" "$(basename "$program" | sed 's/-[0-9a-f]*$//')"
    valgrind "${options[@]}" "$program" --test-threads 1 "${skip[@]}" || status=$?
  done
done
exit "$status"
