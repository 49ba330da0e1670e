#!/usr/bin/env bash
# Assembles the kernels for every GPU that NVIDIA's assembler knows from sm_75 on, which needs none: a driver does the
# same to the PTX when it loads it. Fails where one is refused or keeps registers in memory (spills).
#
#   scripts/ptxas.sh              fetches the assemblers of CUDA 12.2 and 13 (69 MB; x86-64)
#   PTXAS=/path/to/ptxas scripts/ptxas.sh
set -euo pipefail
cd "$(dirname "$0")/../crates/gpu/kernels"

fail() { printf 'ptxas: %s\n' "$*" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}

assemblers=("${PTXAS:-}")
if [ -z "${PTXAS:-}" ]; then
  assemblers=()
  for wheel in 'nvidia-cuda-nvcc-cu12==12.2.*' 'nvidia-cuda-nvcc==13.*'; do
    into=$folder/${#assemblers[@]}
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --dest "$into" "$wheel" ||
      fail "$wheel could not be fetched"
    "$python" -m zipfile -e "$into"/*.whl "$into"
    assembler=$(find "$into" -name ptxas -type f)
    chmod +x "$assembler"
    assemblers+=("$assembler")
  done
fi

for assembler in "${assemblers[@]}"; do
  release=$("$assembler" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
  # Without letters at the end: those are for PTX that is written for one GPU alone.
  mapfile -t targets < <("$assembler" --help | grep -o "'sm_[0-9]*'" | tr -d "'" | sort -uV | awk -F_ '$2 >= 75')
  [ ${#targets[@]} -gt 0 ] || fail "$assembler names no GPU"
  for ptx in *.ptx; do
    for target in "${targets[@]}"; do
      "$assembler" -arch="$target" -v "$ptx" -o "$folder/out" >"$folder/log" 2>&1 ||
        fail "CUDA $release, $target: $ptx is refused: $(tail -n 1 "$folder/log")"
      ! grep -q '[1-9][0-9]* bytes spill' "$folder/log" || fail "CUDA $release, $target: $ptx spills registers"
    done
  done
  echo "CUDA $release: $(echo *.ptx) for ${targets[*]}"
done
