#!/usr/bin/env python3
"""What other libraries make of the small cases in the unit tests of masks, crops and run lengths.

Needs `pip install numpy opencv-python pycocotools torch` (checked with 2.4, 5.0, 2.0.11 and 2.15). Prints
Rust tables, to be compared with or pasted into the tests:

    reference_vision.py rle      src/types/mask/tests.rs
    reference_vision.py masks    src/vision/heads/tests/masks.rs
    reference_vision.py crop     src/vision/crop/tests.rs
"""

import argparse

import cv2
import numpy as np
import torch
import torch.nn.functional as functional
from pycocotools import mask as coco


def counts(mask: np.ndarray) -> list[int]:
    """Runs of 0 and 1 in turn, column by column, 0 first."""
    flat = mask.flatten(order="F").astype(int)
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def compressed(mask: np.ndarray) -> str:
    """As pycocotools packs it."""
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def rle() -> None:
    """Masks over a frame of 9 x 7 and one of 640 x 360."""
    y, x = np.mgrid[0:7, 0:9]
    cases = {
        "none": np.zeros((7, 9), bool),
        "all": np.ones((7, 9), bool),
        "first pixel": (x == 0) & (y == 0),
        "last pixel": (x == 8) & (y == 6),
        "slanted": (x >= 2) & (x < 7) & (y >= 1) & (x + 2 * y < 12),
        "comb": (x % 2 == 1) & (y > 3),
    }
    for name, mask in cases.items():
        text = compressed(mask).replace("\\", "\\\\")
        print(f'("{name}", {counts(mask)}, "{text}"),')
    y, x = np.mgrid[0:360, 0:640]
    disc = (x - 300) ** 2 + 4 * (y - 170) ** 2 < 10000
    text = compressed(disc).replace("\\", "\\\\")
    print(f'disc: area {int(disc.sum())}, "{text}"')


def masks() -> None:
    """ultralytics' `process_mask_native` in its own words, for the tensors of the unit test."""
    m, height, width = 5, 8, 16
    k, row, column = np.mgrid[0:m, 0:height, 0:width].astype(np.int64)
    prototypes = ((k * 31 + row * 17 + column * 7 + row * column * (k + 1)) % 23 - 11).astype(np.float32) / 8
    cases = [
        # Name, frame, placed at (left, top) as (width, height) of the input of 64 x 32, box, coefficients.
        ("stretched", (160, 80), (0, 0), (64, 32), (25.0, 7.5, 72.5, 62.4)),
        ("letterboxed", (250, 100), (0, 3), (64, 26), (101.4, 9.6, 140.5, 88.7)),
        ("the whole frame", (97, 32), (0, 5), (64, 21), (0.0, 0.0, 97.0, 32.0)),
        ("smaller than the prototypes", (12, 6), (0, 0), (64, 32), (2.0, 0.6, 10.4, 6.0)),
    ]
    for i, (name, frame, offset, inner, box) in enumerate(cases):
        weights = np.array([((i * 7 + j * 5) % 9 - 4) / 4 for j in range(m)], np.float32)
        logits = (weights @ prototypes.reshape(m, -1)).reshape(height, width)
        # Interpolating at given places is what `grid_sample` does; places as `interpolate` has them with
        # `align_corners=False`, of the input first and then of the frame in it.
        px, py = np.meshgrid(np.arange(frame[0]) + 0.5, np.arange(frame[1]) + 0.5)
        x = (px * inner[0] / frame[0] + offset[0]) / 64 * 2 - 1
        y = (py * inner[1] / frame[1] + offset[1]) / 32 * 2 - 1
        grid = torch.from_numpy(np.stack([x, y], -1)[None].astype(np.float64))
        source = torch.from_numpy(logits[None, None].astype(np.float64))
        values = functional.grid_sample(source, grid, "bilinear", "border", align_corners=False)[0, 0].numpy()
        if inner == (64, 32):
            whole = functional.interpolate(source, frame[::-1], mode="bilinear", align_corners=False)[0, 0].numpy()
            assert np.abs(whole - values).max() < 1e-9
        inside = (px >= box[0]) & (px < box[2]) & (py >= box[1]) & (py < box[3])
        mask = (values > 0) & inside
        close = np.abs(values[inside]).min()
        text = compressed(mask).replace("\\", "\\\\")
        print(f'// {name}: {int(mask.sum())} of {int(inside.sum())} pixels, the closest to 0 is {close:.1e}')
        print(f'"{text}",')


def crop() -> None:
    """`cv2.resize` of part of a plane, 20 x 16, to 7 x 5 and to 9 x 11."""
    y, x = np.mgrid[0:16, 0:20]
    plane = ((x * 37 + y * 11) % 200).astype(np.uint8)
    for size in [(7, 5), (5, 9)]:
        part = plane[3:14, 6:17].astype(np.float32)
        print(np.array2string(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), separator=", ", precision=2))


def main() -> None:
    """Prints one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = {"rle": rle, "masks": masks, "crop": crop}
    parser.add_argument("table", choices=tables)
    tables[parser.parse_args().table]()


if __name__ == "__main__":
    main()
