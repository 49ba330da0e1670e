#!/usr/bin/env bash
# Fetches NVIDIA's lean TensorRT runtimes into a folder and runs the binding's test against each.
#
#   scripts/lean.sh FOLDER            both versions, 89 MB to fetch, 210 MB on disk
#   scripts/lean.sh FOLDER --fetch    fetch only, and print TENSORRT_LEAN for `make test-gpu`
#
# They are NVIDIA's, under its own licence, which lies beside them: do not put them into the repository. They need no
# GPU to load; without one the test sees that their failure is reported. Both versions are for CUDA 13:
# with an older driver (JetPack 6) they make no runtime.
set -euo pipefail

versions=(10.16.1.11 11.4.0.106)
declare -A sums=(
  [10.16.1.11-x86_64]=0ae1ad997a02e9cc0b260da4068eedabb34025f102d2ec6afda848f05cd2ce18
  [11.4.0.106-x86_64]=e022b8d0e21f19258657aec6760e1de8b454ed176f76217e3f7ec2036c5a9410
  [10.16.1.11-aarch64]=3ec6897031f4ccee7b848a50293459cf4d3b81bba8aa2bdca4aa7c1392660a4c
  [11.4.0.106-aarch64]=2b22174a7056f341efeffb2025aa759c870c438ebf45a8821e88f5d95d165d1f
)

fail() { printf 'lean: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] && [ $# -le 2 ] && [ "${2:---fetch}" = --fetch ] || fail "usage: scripts/lean.sh FOLDER [--fetch]"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

libraries=()
for version in "${versions[@]}"; do
  major=${version%%.*}
  library=$folder/$version/libnvinfer_lean.so.$major
  if [ ! -s "$library" ]; then
    sum=${sums[$version-$(uname -m)]:-}
    [ -n "$sum" ] || fail "no lean TensorRT $version is known for $(uname -m)"
    work=$(mktemp -d "$folder/fetch.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    echo "tensorrt_lean_cu13_libs==$version --hash=sha256:$sum" > "$work/wanted"
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
      -r "$work/wanted" -d "$work" || fail "TensorRT $version could not be fetched, or its checksum is wrong"
    "$python" - "$work" <<'PY'
import pathlib, sys, zipfile
work = pathlib.Path(sys.argv[1])
(wheel,) = work.glob("tensorrt_lean_cu13_libs-*.whl")
out = work / "out"
out.mkdir()
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        file = pathlib.PurePosixPath(name).name
        if file.startswith("libnvinfer_lean.so") or file == "LICENSE.txt":
            (out / file).write_bytes(archive.read(name))
PY
    rm -rf "${folder:?}/$version"
    mv "$work/out" "$folder/$version"
    rm -rf "$work"
  fi
  [ -s "$library" ] || fail "the package of TensorRT $version has no $(basename "$library")"
  libraries+=("$library")
done

joined=$(IFS=:; echo "${libraries[*]}")
if [ "${2:-}" = --fetch ]; then
  echo "TENSORRT_LEAN=$joined"
  exit
fi
TENSORRT_LEAN=$joined TENSORRT_LEAN_VERSIONS="${versions[*]}" \
  cargo test -q --locked --package tensorrt-rs --test lean -- --nocapture
