"""Measures exported ONNX files on seed folders: COCO AP of boxes, keypoints and masks, and ReID, by light."""

import argparse
import contextlib
import io
import time
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import reid
from data import read_image, seeds_in, truth
from export import session
from model import CLASSES, HEIGHT, KEYPOINTS, WIDTH

PER_PICTURE = 100


def suppress(output, min_score: float = 0.02, max_iou: float = 0.6, classes: int = len(CLASSES)):
    """Class-aware non-maximum suppression of output0 [rows, n]: (columns, classes, scores) of what is kept."""
    scores = output[4 : 4 + classes]
    label, best = scores.argmax(0), scores.max(0)
    order = np.flatnonzero(best > min_score)
    order = order[np.argsort(-best[order])][:1000]
    centre, half = output[:2, order].T, output[2:4, order].T / 2
    boxes = np.concatenate((centre - half, centre + half), 1)
    area, kept = (2 * half).prod(1), []
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if not alive[i]:
            continue
        kept.append(i)
        size = np.minimum(boxes[i, 2:], boxes[:, 2:]) - np.maximum(boxes[i, :2], boxes[:, :2])
        inter = size.clip(0).prod(1)
        alive &= (inter / (area + area[i] - inter) <= max_iou) | (label[order] != label[order[i]])
    at = order[kept[:PER_PICTURE]]
    return at, label[at], best[at]


def masks(coefs, proto, boxes, width: int, height: int):
    """Binary masks [k, height, width]: sigmoid(coefs x proto) > 0.5, cropped to the boxes (picture pixels)."""
    logits = np.tensordot(coefs, proto, 1)
    out = np.zeros((len(coefs), height, width), np.uint8)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        box = slice(max(0, round(y1)), max(0, round(y2))), slice(max(0, round(x1)), max(0, round(x2)))
        out[k][box] = (cv2.resize(logits[k], (width, height), interpolation=cv2.INTER_LINEAR) > 0)[box]
    return out


def predict(sessions, frame, number):
    """COCO results by task of one truth line, in its own pixels."""
    w, h = frame["width"], frame["height"]
    image = cv2.resize(read_image(frame["path"]), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    image = image.transpose(2, 0, 1)[None].astype(np.float32) / 255
    scale, found = np.array([w / WIDTH, h / HEIGHT]), {}
    for task, network in sessions.items():
        outputs = network.run(None, {"images": image})
        output = outputs[0][0]
        at, label, score = suppress(output, classes=1 if task == "pose" else len(CLASSES))
        size = output[2:4, at].T * scale
        corner = output[:2, at].T * scale - size / 2
        rows = [
            {"image_id": number, "category_id": int(c) + 1, "score": float(s), "bbox": [*xy.tolist(), *wh.tolist()]}
            for c, s, xy, wh in zip(label, score, corner, size)
        ]
        if task == "pose":
            points = output[5:, at].T.reshape(-1, KEYPOINTS, 3) * [*scale, 1]
            for row, p in zip(rows, points):
                row["keypoints"] = p.flatten().tolist()
        if task == "segmentation":
            coefs = output[4 + len(CLASSES) :, at].T
            drawn = masks(coefs, outputs[1][0], np.concatenate((corner, corner + size), 1), w, h)
            for row, m in zip(rows, drawn):
                del row["bbox"]
                row["segmentation"] = rle.encode(np.asfortranarray(m))
        found[task] = rows
    return found


def annotations(frame, number):
    """COCO annotations of a truth line; ignored objects are crowds."""
    for o in frame["objects"]:
        x1, y1, x2, y2 = o["box"]
        mask = rle.frPyObjects(o["mask"], *o["mask"]["size"])
        points = np.array(o.get("keypoints") or np.zeros((KEYPOINTS, 3)))
        yield {
            "image_id": number, "category_id": CLASSES.index(o["class"]) + 1, "iscrowd": int(o["ignore"]),
            "bbox": [x1, y1, x2 - x1, y2 - y1], "area": float(rle.area(mask)), "segmentation": mask,
            "keypoints": points.flatten().tolist(), "num_keypoints": int((points[:, 2] > 0).sum()),
        }  # fmt: skip


def measure(images, truths, found, kind: str):
    """AP50:95 and AP50 of COCO results; for keypoints of persons only. -1 where there is nothing to find."""
    coco = COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        coco.dataset = {
            "info": {}, "images": images, "annotations": [{"id": i + 1, **t} for i, t in enumerate(truths)],
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)],
        }  # fmt: skip
        coco.createIndex()
        if not found:
            return {"AP": 0.0, "AP50": 0.0}
        test = COCOeval(coco, coco.loadRes([dict(row) for row in found]), kind)  # loadRes adds keys
        if kind == "keypoints":
            test.params.catIds = [1]
        test.evaluate()
        test.accumulate()
        test.summarize()
        precision = test.eval["precision"][0, :, :, 0, -1]  # at IoU .5
        result = {"AP": test.stats[0], "AP50": test.stats[1]}
        if kind != "keypoints":
            result |= {f"{name} AP50": precision[:, i].mean() for i, name in enumerate(CLASSES)}
    return {name: round(float(value), 3) for name, value in result.items()}


def scene(folder, seeds):
    """AP of the detection, pose and segmentation files in `folder` over the seed folders `seeds`, by light."""
    kinds = {"detection": "bbox", "pose": "keypoints", "segmentation": "segm"}
    files = {task: Path(folder) / f"{task}.onnx" for task in kinds}
    sessions = {task: session(path) for task, path in files.items() if path.exists()}
    images, truths, found, lights = [], [], {task: [] for task in sessions}, {}
    for seed in seeds:
        for frame in truth(seed):
            number = len(images) + 1
            images.append({"id": number, "width": frame["width"], "height": frame["height"]})
            lights.setdefault(frame["light"], set()).add(number)
            truths += annotations(frame, number)
            for task, rows in predict(sessions, frame, number).items():
                found[task] += rows
    result = {}
    for task in sessions:
        for light, numbers in [*sorted(lights.items()), ("all", set(range(1, len(images) + 1)))]:
            part = ([r for r in rows if r["image_id"] in numbers] for rows in (truths, found[task]))
            result[f"{task} {light}"] = measure([i for i in images if i["id"] in numbers], *part, kinds[task])
    return result


def latency(path, shape, runs: int = 100) -> float:
    """Median milliseconds on one thread."""
    network, image, times = session(path), np.random.rand(*shape).astype(np.float32), []
    for _ in range(runs):
        start = time.perf_counter()
        network.run(None, {"images": image})
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("onnx", type=Path, help="folder with detection, pose, segmentation, reid .onnx (any of them)")
    parser.add_argument("--data", required=True, help="folder of seed-* folders")
    parser.add_argument("--seeds", type=int, nargs=2, default=(1, 20), help="first and last seed")
    parser.add_argument("--cache", required=True, help="folder for the ReID crops")
    args = parser.parse_args()
    for name, numbers in scene(args.onnx, seeds_in(args.data, *args.seeds)).items():
        print(name, numbers)
    if (args.onnx / "reid.onnx").exists():
        first, last = args.seeds
        cache = reid.build_cache(args.data, first, last, Path(args.cache) / f"reid-{first}-{last}")
        for name, text in reid.evaluate(args.onnx / "reid.onnx", cache).items():
            print("reid", name, text)
    for file in sorted(args.onnx.glob("*.onnx")):
        shape = (8, 3, 128, 64) if file.stem == "reid" else (1, 3, HEIGHT, WIDTH)
        print(f"latency {file.stem}: {latency(file, shape):.2f} ms on one thread")


if __name__ == "__main__":
    main()
