"""Data, loss and evaluation of the appearance embedding.

A crop is a person's visible box stretched to 128x64. The cache holds a margin around it, so that the box can be
jittered: 160x80 with the box at [16:144, 8:72].
"""

from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from data import jitter_colour, read_image, seeds_in, truth
from export import session

BOX = (slice(16, 144), slice(8, 72))
LIGHTS = ("day", "dusk", "night")
MIN_VISIBILITY = 0.5


def _crop(image, box):
    """The box and 1/8 of its size on each side, as [160, 80, 3]; the edge is repeated outside the picture."""
    x1, y1, x2, y2 = box
    sx, sy = 64 / (x2 - x1), 128 / (y2 - y1)
    matrix = np.float32([[sx, 0, 8 - x1 * sx + (sx - 1) / 2], [0, sy, 16 - y1 * sy + (sy - 1) / 2]])
    return cv2.warpAffine(image, matrix, (80, 160), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _load_seed(folder):
    """Crops [n, 160, 80, 3] and rows (seed, identity, camera number, frame, light) [n, 5]."""
    crops, rows, cameras = [], [], {}
    for frame in truth(folder):
        image = read_image(frame["path"])
        camera = cameras.setdefault(frame["camera"], len(cameras))
        for o in frame["objects"]:
            if o["class"] == "person" and not o["ignore"] and o["visibility"] >= MIN_VISIBILITY:
                crops.append(_crop(image, o["box"]))
                rows.append((frame["seed"], o["identity"], camera, frame["frame"], LIGHTS.index(frame["light"])))
    return crops, rows


def build_cache(root, first: int, last: int, cache):
    """Writes crops.npy and rows.npy into `cache` unless they are there; returns `cache`."""
    cache = Path(cache)
    if not (cache / "rows.npy").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with Pool(2) as pool:
            seeds = pool.map(_load_seed, seeds_in(root, first, last))
        np.save(cache / "crops.npy", np.stack([crop for crops, _ in seeds for crop in crops]))
        np.save(cache / "rows.npy", np.array([row for _, rows in seeds for row in rows]))
    return cache


class Crops(torch.utils.data.Dataset):
    """Training crops with a running identity over all seeds, augmented."""

    def __init__(self, cache):
        self.crops = np.load(cache / "crops.npy", mmap_mode="r")
        rows = np.load(cache / "rows.npy")
        self.seeds, self.cameras = rows[:, 0], rows[:, 2]
        _, self.labels = np.unique(rows[:, :2], axis=0, return_inverse=True)
        self.identities = int(self.labels.max()) + 1

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        rng = np.random.default_rng()
        crop = self.crops[i]
        h, w = rng.integers(114, 144), rng.integers(56, 74)
        y = int(np.clip(16 + (128 - h) / 2 + rng.normal(0, 5), 0, 160 - h))
        x = int(np.clip(8 + (64 - w) / 2 + rng.normal(0, 3), 0, 80 - w))
        crop = cv2.resize(crop[y : y + h, x : x + w], (64, 128), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        crop = jitter_colour(np.ascontiguousarray(crop), rng, 0.6)
        if rng.random() < 0.2:  # a smaller, blurred person
            small = cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            crop = cv2.resize(small, (64, 128), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.4:  # something in front
            eh, ew = rng.integers(12, 60), rng.integers(8, 40)
            ey, ex = rng.integers(0, 128 - eh), rng.integers(0, 64 - ew)
            crop[ey : ey + eh, ex : ex + ew] = rng.integers(0, 256, 3)
        return crop, self.labels[i]


class Batches(torch.utils.data.Sampler):
    """Batches of 4 seeds, 6 identities each, 4 crops each, from as many cameras as there are."""

    def __init__(self, crops: Crops, seeds: int = 4, identities: int = 6, each: int = 4, length: int = 500):
        self.shape, self.length = (seeds, identities, each), length
        self.of_identity = [np.flatnonzero(crops.labels == i) for i in range(crops.identities)]
        self.cameras = crops.cameras
        first = np.array([rows[0] for rows in self.of_identity])
        enough = [i for i, rows in enumerate(self.of_identity) if len(set(crops.cameras[rows])) > 1]
        by_seed = {}
        for i in enough:
            by_seed.setdefault(crops.seeds[first[i]], []).append(i)
        self.by_seed = [ids for ids in by_seed.values() if len(ids) >= identities]

    def __len__(self):
        return self.length

    def _pick(self, rng, identity, each):
        rows = rng.permutation(self.of_identity[identity])
        _, first = np.unique(self.cameras[rows], return_index=True)
        rows = np.concatenate((rows[first], np.delete(rows, first)))  # one of each camera before a second
        return np.resize(rows, each).tolist()

    def __iter__(self):
        rng = np.random.default_rng()
        seeds, identities, each = self.shape
        for _ in range(self.length):
            chosen = [self.by_seed[s] for s in rng.choice(len(self.by_seed), seeds, replace=False)]
            ids = np.concatenate([rng.choice(c, identities, replace=False) for c in chosen])
            yield [row for i in ids for row in self._pick(rng, i, each)]


def loss(embedding, labels, temperature: float = 0.1):
    """Supervised contrastive loss: each crop shall be nearer to its own identity than to all others of the batch.

    A softmax over all training identities saw each of them too rarely to learn, and batch-hard triplets collapsed.
    """
    unit = F.normalize(embedding)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    logits = (unit @ unit.T / temperature).masked_fill(itself, -1e4)
    same = (labels[:, None] == labels) & ~itself
    likelihood = logits.log_softmax(1)
    return -((likelihood * same).sum(1) / same.sum(1)).mean()


def rank(similarity, identity, camera):
    """Rank-1 and mAP where a query may only match other cameras. similarity [n, n]; returns both and the queries."""
    first, precision = [], []
    for q in range(len(identity)):
        allowed = camera != camera[q]
        hits = (identity == identity[q])[allowed]
        if hits.any():
            hits = hits[np.argsort(-similarity[q][allowed])]
            at = np.flatnonzero(hits)
            first.append(hits[0])
            precision.append((np.arange(len(at)) + 1) @ (1 / (at + 1)) / len(at))
    return float(np.mean(first)), float(np.mean(precision)), len(first)


def evaluate(path, cache):
    """Rank-1 and mAP of an ONNX file: within each seed by light, and `pooled` over all seeds at once."""
    crops, rows = np.load(cache / "crops.npy")[:, *BOX], np.load(cache / "rows.npy")
    network, out = session(path), []
    for i in range(0, len(crops), 64):
        images = crops[i : i + 64].transpose(0, 3, 1, 2).astype(np.float32) / 255
        out.append(network.run(None, {"images": images})[0])
    unit = np.concatenate(out)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    identity, camera = rows[:, 0] * 1000 + rows[:, 1], rows[:, 2]

    def text(numbers):
        return "rank-1 {:.3f} mAP {:.3f} ({} queries)".format(*numbers)

    result = {}
    for light in np.unique(rows[:, 4]):
        numbers = []
        for seed in np.unique(rows[rows[:, 4] == light, 0]):
            at = rows[:, 0] == seed
            numbers.append(rank(unit[at] @ unit[at].T, identity[at], camera[at]))
        weights = [n[2] for n in numbers]
        mean = np.average([n[:2] for n in numbers], axis=0, weights=weights)
        result[LIGHTS[light]] = text((*mean, sum(weights)))
    return result | {"pooled": text(rank(unit @ unit.T, identity, camera))}
