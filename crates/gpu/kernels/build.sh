#!/bin/sh
# Makes the PTX from the CUDA C beside it, with NVRTC of CUDA 12.2: it needs no GPU, and its PTX (ISA 8.2) is taken by
# every driver from 12.2 on, JetPack 6's too. NVRTC=/path/to/libnvrtc.so.12 says where it is; without, it is fetched.
set -eu
cd "$(dirname "$0")"

if [ -z "${NVRTC:-}" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python3 -m pip download --quiet --no-deps --dest "$folder" 'nvidia-cuda-nvrtc-cu12==12.2.*'
    python3 -m zipfile -e "$folder"/*.whl "$folder"
    NVRTC=$folder/nvidia/cuda_nvrtc/lib/libnvrtc.so.12
fi
# The crate embeds the PTX, so that there must be some before it builds.
for source in *.cu; do
    [ -e "${source%.cu}.ptx" ] || : >"${source%.cu}.ptx"
done
NVRTC=$NVRTC WATCHKEEPER_UPDATE_PTX=1 cargo test --package gpu --test ptx -- --nocapture
