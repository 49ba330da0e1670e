#!/usr/bin/env python3
"""Scores tracks against ground truth, both as MOTChallenge text.

Needs `pip install trackers` (checked with 2.6.1). Prints HOTA, DetA, AssA, MOTA and IDF1.

    eval_tracking.py --gt gt.txt --tracks out.txt [--gt gt2.txt --tracks out2.txt ...]
"""

import argparse
import tempfile
from pathlib import Path

from trackers.eval import evaluate_mot_sequence

# Columns: frame, id, x, y, w, h, valid, class, visibility.
CLASS, COLUMNS = 7, 9


def with_class(path: Path, folder: Path) -> Path:
    """A copy of `path` in `folder` with class 1 in rows that name none: the metrics skip them."""
    rows = []
    for line in path.read_text().split():
        row = (line.split(",") + ["1"] * COLUMNS)[:COLUMNS]
        # Older sets have world coordinates or -1 there.
        if not row[CLASS].isdigit() or row[CLASS] == "0":
            row[CLASS:] = ["1", "1"]
        rows.append(",".join(row))
    copy = folder / "gt.txt"
    copy.write_text("\n".join(rows) + "\n")
    return copy


def main() -> None:
    """Reads the arguments, prints one line for each pair of files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gt", type=Path, action="append", required=True, help="ground truth")
    parser.add_argument("--tracks", type=Path, action="append", required=True, help="tracks of the same sequence")
    arguments = parser.parse_args()
    if len(arguments.gt) != len(arguments.tracks):
        parser.error("as many --gt as --tracks")

    for gt, tracks in zip(arguments.gt, arguments.tracks):
        with tempfile.TemporaryDirectory() as folder:
            result = evaluate_mot_sequence(with_class(gt, Path(folder)), tracks, ["CLEAR", "HOTA", "Identity"])
        scores = {
            "HOTA": result.HOTA.HOTA,
            "DetA": result.HOTA.DetA,
            "AssA": result.HOTA.AssA,
            "MOTA": result.CLEAR.MOTA,
            "IDF1": result.Identity.IDF1,
        }
        print(tracks, *(f"{name} {value:.3f}" for name, value in scores.items()))


if __name__ == "__main__":
    main()
