"""Reads what `streetscene render` wrote (streetscene-truth/1), caches it small, and augments it.

Coordinates are continuous: pixel i covers [i, i + 1). Everything is scaled to the model input, 512x288.
"""

import json
import pickle
from multiprocessing import Pool, Value
from pathlib import Path

import cv2
import numpy as np
import torch

from model import CLASSES, HEIGHT, KEYPOINTS, WIDTH

FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
cv2.setNumThreads(0)


def seeds_in(root, first: int, last: int):
    """The seed folders of `root` with first <= seed <= last."""
    folders = sorted(Path(root).glob("seed-*"))
    return [f for f in folders if first <= int(f.name[5:]) <= last and (f / "truth.jsonl").exists()]


def truth(folder):
    """The truth lines of a seed that have a picture, each with its `path`."""
    for line in open(folder / "truth.jsonl"):
        frame = json.loads(line)
        stem = folder / frame["camera"] / "img" / f"{frame['frame']:06d}"
        path = next((p for p in (stem.with_suffix(".jpg"), stem.with_suffix(".png")) if p.exists()), None)
        if path:
            frame["path"] = str(path)
            yield frame


def read_image(path) -> np.ndarray:
    """RGB uint8 [h, w, 3]."""
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def decode_rle(mask) -> np.ndarray:
    """COCO uncompressed run lengths to uint8 [h, w]."""
    h, w = mask["size"]
    counts = np.asarray(mask["counts"])
    return np.repeat(np.arange(len(counts), dtype=np.uint8) % 2, counts).reshape(w, h).T


def _load_seed(folder):
    """Per frame: image [288, 512, 3], instance map [144, 256] (0 = none, i + 1 = object i) and targets."""
    out = []
    for frame in truth(folder):
        scale = np.array([WIDTH / frame["width"], HEIGHT / frame["height"]], np.float32)
        image = cv2.resize(read_image(frame["path"]), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        objects = frame["objects"]
        ids = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
        # A bicycle's filled outline may cover what is seen through it, so bicycles are drawn first.
        for i in sorted(range(len(objects)), key=lambda i: objects[i]["class"] != "bicycle"):
            small = cv2.resize(decode_rle(objects[i]["mask"]) * 255, ids.shape[::-1], interpolation=cv2.INTER_AREA)
            ids[small > 127] = i + 1
        keypoints = np.zeros((len(objects), KEYPOINTS, 3), np.float32)
        for i, o in enumerate(objects):
            if o.get("keypoints"):
                keypoints[i] = o["keypoints"]
        keypoints[..., :2] *= scale
        boxes = np.array([o["box"] for o in objects], np.float32).reshape(-1, 4) * np.tile(scale, 2)
        targets = {
            "boxes": boxes,
            "classes": np.array([CLASSES.index(o["class"]) for o in objects], np.int64),
            "ignore": np.array([o["ignore"] for o in objects], bool),
            "keypoints": keypoints,
        }
        out.append((image, ids, targets))
    return out


def build_cache(root, first: int, last: int, cache):
    """Writes images.npy, ids.npy and targets.pkl into `cache` unless they are there."""
    cache = Path(cache)
    if (cache / "targets.pkl").exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    folders = seeds_in(root, first, last)
    count = sum(sum(1 for _ in truth(f)) for f in folders)
    images = np.lib.format.open_memmap(cache / "images.npy", "w+", np.uint8, (count, HEIGHT, WIDTH, 3))
    ids = np.lib.format.open_memmap(cache / "ids.npy", "w+", np.uint8, (count, HEIGHT // 2, WIDTH // 2))
    targets = []
    with Pool(2) as pool:
        for frames in pool.imap(_load_seed, folders):
            for image, instance, target in frames:
                images[len(targets)], ids[len(targets)] = image, instance
                targets.append(target)
    pickle.dump(targets, open(cache / "targets.pkl", "wb"))


def jitter_colour(image, rng, strength: float = 1.0):
    """Gain, contrast and gamma per picture and a little per channel, as one table look-up."""
    x = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(0, 0.15 * strength))
    contrast, shift = 1 + rng.normal(0, 0.12 * strength), rng.normal(0, 0.04 * strength)
    gains = 1 + rng.normal(0, 0.04 * strength, 3) + rng.normal(0, 0.1 * strength)
    table = ((x[:, None] ** gamma - 0.5) * contrast + 0.5 + shift) * gains
    return cv2.LUT(image, (np.clip(table, 0, 1) * 255).astype(np.uint8)[None])


def warp(image, ids, target, sx: float, s: float, tx: float, ty: float):
    """Maps x to sx*x + tx and y to s*y + ty (input pixels); sx = -s mirrors."""

    def matrix(scale):  # continuous coordinates to pixel indices
        return np.float32([[sx, 0, tx * scale + (sx - 1) / 2], [0, s, ty * scale + (s - 1) / 2]])

    if s == 1:
        image, ids = (np.ascontiguousarray(x[:, :: int(sx)]) for x in (image, ids))
    else:
        image = cv2.warpAffine(image, matrix(1.0), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
        ids = cv2.warpAffine(ids, matrix(0.5), ids.shape[::-1], flags=cv2.INTER_NEAREST)
    factor, offset = np.float32([sx, s]), np.float32([tx, ty])
    boxes = target["boxes"].reshape(-1, 2, 2) * factor + offset
    boxes = np.concatenate((boxes.min(1), boxes.max(1)), 1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    boxes = np.clip(boxes, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)
    left = (boxes[:, 2:] - boxes[:, :2]).prod(1) / np.maximum(area, 1e-6)
    points = target["keypoints"].copy()
    points[..., :2] = points[..., :2] * factor + offset
    if sx < 0:
        points = points[:, FLIP]
    outside = ((points[..., :2] < 0) | (points[..., :2] >= [WIDTH, HEIGHT])).any(-1)
    points[outside] = 0
    target = {**target, "boxes": boxes, "keypoints": points, "ignore": target["ignore"] | (left < 0.4)}
    return image, ids, target


class Scenes(torch.utils.data.Dataset):
    """The cached frames, augmented. `calm` (set near the end of a training) leaves out scaling and blur."""

    def __init__(self, cache, augment: bool = True):
        cache = Path(cache)
        self.images = np.load(cache / "images.npy", mmap_mode="r")
        self.ids = np.load(cache / "ids.npy", mmap_mode="r")
        self.targets = pickle.load(open(cache / "targets.pkl", "rb"))
        self.augment, self.calm = augment, Value("b", 0)

    def __len__(self):
        return len(self.targets)

    def sampler(self):
        """Draws pictures with a bicycle, the rarest and hardest class, more often than others."""
        bicycle = CLASSES.index("bicycle")
        rare = [((t["classes"] == bicycle) & ~t["ignore"]).any() for t in self.targets]
        return torch.utils.data.WeightedRandomSampler(1.0 + 1.5 * np.float64(rare), len(self))

    def __getitem__(self, i):
        image, ids, target = self.images[i], self.ids[i], self.targets[i]
        if not self.augment:
            return image, ids, target
        rng = np.random.default_rng()
        s, tx, ty = 1.0, 0.0, 0.0
        if rng.random() < 0.6 and not self.calm.value:
            s = float(np.exp(rng.uniform(np.log(0.8), np.log(1.4))))
            tx, ty = rng.uniform(0, 1) * (1 - s) * WIDTH, rng.uniform(0, 1) * (1 - s) * HEIGHT
        flip = rng.random() < 0.5
        image, ids, target = warp(image, ids, target, -s if flip else s, s, WIDTH - tx if flip else tx, ty)
        if rng.random() < 0.8:
            image = jitter_colour(image, rng, 0.7)
        if rng.random() < 0.1 and not self.calm.value:
            image = cv2.GaussianBlur(image, (3, 3), 0)
        if rng.random() < 0.1:
            noise = np.empty(image.shape, np.int8)
            cv2.randn(noise, 0, rng.uniform(2, 8))
            image = cv2.add(image, noise, dtype=cv2.CV_8U)
        return image, ids, target


def collate(samples):
    """Batch with objects padded to the largest count: tensors by name, `class` -1 where padded."""
    images, ids, targets = zip(*samples)
    most = max(1, max(len(t["classes"]) for t in targets))
    batch = {
        "images": torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
        "ids": torch.from_numpy(np.stack(ids)),
        "boxes": torch.zeros(len(targets), most, 4),
        "classes": torch.full((len(targets), most), -1),
        "ignore": torch.zeros(len(targets), most, dtype=torch.bool),
        "keypoints": torch.zeros(len(targets), most, KEYPOINTS, 3),
    }
    for b, t in enumerate(targets):
        for name, value in t.items():
            batch[name][b, : len(value)] = torch.from_numpy(value)
    return batch
