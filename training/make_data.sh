#!/bin/sh
# Renders the pictures for training (seeds 1000 and up), validation (21 to 29) and the held-out cards (1 to 20).
# usage: make_data.sh OUT [LAST_TRAINING_SEED]      STREETSCENE names the program, default "streetscene"
set -eu
out=${1:?usage: make_data.sh OUT [LAST_TRAINING_SEED]}
last=${2:-2399}
render="${STREETSCENE:-streetscene} render --out $out --images jpg --jobs $(nproc)"
mkdir -p "$out"
$render --seeds "1000..$((last + 1))" --frames 3 --start-s 3 --every-s 9
$render --seeds 1..30 --frames 3 --start-s 2 --every-s 9
