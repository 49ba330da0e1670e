#!/usr/bin/env bash
# Installs what is missing to build, run and test Watchkeeper on Debian 12, Ubuntu 22.04 or 24.04, and
# nothing else: packages by apt, and libonnxruntime into .deps/ of this folder. Run it as often as you
# like; where nothing is missing it asks for nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

onnxruntime_version=1.31.1
# Wheels of the Python package; only the shared library in them is used.
onnxruntime_x86_64=5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f
onnxruntime_aarch64=da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3

packages=(
  # build
  gcc g++ pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  # run: RTSP, files, V4L2; parsers and hardware decoders; software decoders
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav
  # fetch libonnxruntime
  python3 python3-pip
  # test and demo: encoders, a real RTSP server
  gstreamer1.0-tools gstreamer1.0-plugins-ugly libgstrtspserver-1.0-dev
  # test: real brokers
  mosquitto mosquitto-clients redis-server
)
# Ubuntu 22.04 does not have it: the tests of that sink say so and are left out.
packages_where_there_are=(nats-server)
servers=(mosquitto redis-server nats-server)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
  command -v dpkg-query >/dev/null || fail "this is neither Debian nor Ubuntu; install by hand: ${packages[*]}"
  local missing=() optional=() services=() package
  for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
  for package in "${packages_where_there_are[@]}"; do installed "$package" || optional+=("$package"); done
  if [ ${#missing[@]} -eq 0 ] && [ ${#optional[@]} -eq 0 ]; then
    say "packages: nothing missing"
    return
  fi
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "sudo is missing; as root run: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  [ ${#missing[@]} -eq 0 ] || "${sudo[@]}" apt-get update -q
  for package in "${optional[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then missing+=("$package"); else say "packages: no $package here"; fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  for package in "${servers[@]}"; do installed "$package" || services+=("$package"); done
  say "packages: installing ${missing[*]}"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
  # Debian starts servers that it installs; tests start their own.
  if [ -d /run/systemd/system ]; then
    for package in "${services[@]}"; do "${sudo[@]}" systemctl disable --now -q "$package" || true; done
  fi
}

install_onnxruntime() {
  local target=.deps/onnxruntime arch sum
  if [ "$(cat $target/version 2>/dev/null)" = "$onnxruntime_version" ] && [ -s $target/libonnxruntime.so ]; then
    say "libonnxruntime $onnxruntime_version: already in $target"
    return
  fi
  arch=$(uname -m)
  case $arch in
    x86_64) sum=$onnxruntime_x86_64 ;;
    aarch64) sum=$onnxruntime_aarch64 ;;
    *) fail "no libonnxruntime for $arch; build it and set ORT_DYLIB_PATH" ;;
  esac
  say "libonnxruntime $onnxruntime_version: fetching into $target"
  mkdir -p .deps
  local work
  work=$(mktemp -d .deps/fetch.XXXXXX)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  echo "onnxruntime==$onnxruntime_version --hash=sha256:$sum" > "$work/wanted"
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --python-version 3.11 --implementation cp \
    --platform "manylinux_2_28_$arch" --platform "manylinux_2_27_$arch" \
    -r "$work/wanted" -d "$work" || fail "libonnxruntime could not be fetched, or its checksum is wrong"
  python3 - "$work" "$onnxruntime_version" <<'PY'
import pathlib, sys, zipfile
work, version = pathlib.Path(sys.argv[1]), sys.argv[2]
(wheel,) = work.glob("onnxruntime-*.whl")
with zipfile.ZipFile(wheel) as archive:
    out = work / "out"
    out.mkdir()
    (out / "libonnxruntime.so").write_bytes(archive.read(f"onnxruntime/capi/libonnxruntime.so.{version}"))
    (out / "LICENSE").write_bytes(archive.read("onnxruntime/LICENSE"))
    (out / "version").write_text(version + "\n")
PY
  rm -rf "$target"
  mv "$work/out" "$target"
}

check_rust() {
  command -v cargo >/dev/null || fail "Rust is missing; install the toolchain from https://rustup.rs (1.92 or newer)"
  local have
  have=$(rustc --version | cut -d' ' -f2)
  printf '1.92.0\n%s\n' "$have" | sort -VC || fail "Rust $have is too old; 1.92 or newer is needed: rustup update"
}

install_packages
install_onnxruntime
check_rust
say "done"
