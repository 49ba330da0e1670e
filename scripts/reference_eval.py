#!/usr/bin/env python3
"""Writes tests/references/eval/*.json: made-up scenes, and what the reference tools say of them.

Needs `pip install pycocotools trackeval numpy scipy` (checked with 2.0.11, 1.3.0, 2.4 and 1.17). The same seed gives
the same files. References: pycocotools for boxes, masks, keypoints and the drawing of polygons; TrackEval for
tracking, with its MOTChallenge preprocessing for what is to be ignored, and for identities over cameras, which it is
given as one long sequence; numpy for the Market-1501 protocol.
"""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import trackeval
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

OUT = Path(__file__).resolve().parent.parent / "tests" / "references" / "eval"
WIDTH, HEIGHT = 320, 240
CLASSES = {1: "person", 2: "bicycle", 3: "car"}


def quiet(function, *arguments):
    """Calls a function whose prints nobody needs."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments)


# --------------------------------------------------------------------------------------------------- COCO


def ellipse(box, rng):
    """A polygon of 12 corners in a box."""
    x, y, w, h = box
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radius = rng.uniform(0.8, 1.0, 12)
    points = np.stack([x + w / 2 + w / 2 * radius * np.cos(turns), y + h / 2 + h / 2 * radius * np.sin(turns)], 1)
    return [[round(float(v), 1) for v in points.ravel()]]


def encoded(polygons):
    """The compressed mask of polygons."""
    rle = mask_utils.merge(mask_utils.frPyObjects(polygons, HEIGHT, WIDTH))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def uncompressed(rle):
    """Run lengths of a compressed mask, column-major, zeros first."""
    flat = mask_utils.decode(rle).ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    return {"size": list(rle["size"]), "counts": counts}


def person(box, rng):
    """17 keypoints in a box, some not marked."""
    x, y, w, h = box
    points = []
    for _ in range(17):
        seen = int(rng.choice([0, 1, 2], p=[0.2, 0.3, 0.5]))
        px, py = x + w * rng.uniform(), y + h * rng.uniform()
        points += [round(px, 1), round(py, 1), seen] if seen else [0, 0, 0]
    return points


def jittered(values, scale, rng):
    """Numbers with noise, one decimal."""
    return [round(float(v + rng.normal(0, scale)), 1) for v in values]


def box_in_picture(rng):
    """A box of any size range."""
    w, h = rng.choice([20, 60, 150]) * rng.uniform(0.6, 1.3), rng.choice([20, 60, 130]) * rng.uniform(0.6, 1.3)
    return [round(float(v), 1) for v in (rng.uniform(0, WIDTH - w), rng.uniform(0, HEIGHT - h), w, h)]


def annotation(kind, image, category, box, crowd, rng):
    """One object of the truth."""
    made = {"image_id": image, "category_id": category, "bbox": box, "iscrowd": int(crowd)}
    made["area"] = round(box[2] * box[3] * 0.8, 1)
    if kind == "segm":
        polygons = ellipse(box, rng)
        rle = encoded(polygons)
        made["area"] = int(mask_utils.area(rle))
        # All three ways of writing; a crowd is never a polygon.
        ways = [rle, uncompressed(rle), polygons]
        made["segmentation"] = ways[int(rng.integers(2 if crowd else 3))]
    if kind == "keypoints":
        # A crowd has no keypoints marked; neither have some others.
        made["keypoints"] = [0] * 51 if crowd or rng.uniform() < 0.15 else person(box, rng)
        made["num_keypoints"] = int(np.count_nonzero(np.array(made["keypoints"][2::3])))
    return made


def result(kind, truth, category, rng):
    """One prediction near an object. Few distinct scores, for ties."""
    noise = rng.choice([0.5, 3.0, 9.0])
    made = {"image_id": truth["image_id"], "category_id": category, "score": round(float(rng.choice(10) / 10), 1)}
    x, y, w, h = jittered(truth["bbox"], noise, rng)
    box = [x, y, round(max(w, 2.0), 1), round(max(h, 2.0), 1)]
    if kind == "bbox":
        made["bbox"] = box
    elif kind == "segm":
        made["segmentation"] = encoded(ellipse(box, rng))
    else:
        points = np.array(truth["keypoints"], dtype=float).reshape(17, 3)
        if not points[:, 2].any():
            points = np.array(person(box, rng), dtype=float).reshape(17, 3)
        points[:, :2] += rng.normal(0, noise, (17, 2))
        points[:, 2] = 1
        made["keypoints"] = [round(float(v), 1) for v in points.ravel()]
    return made


def coco_scene(kind, seed, images, objects):
    """Truth and results with misses, false alarms, doubles, wrong classes and crowds."""
    rng = np.random.default_rng(seed)
    categories = [1] if kind == "keypoints" else [1, 2, 3]
    annotations, results = [], []
    for image in range(1, images + 1):
        for _ in range(int(rng.integers(0, objects))):
            category = int(rng.choice(categories))
            crowd = rng.uniform() < 0.12
            truth = annotation(kind, image * 7, category, box_in_picture(rng), crowd, rng)
            truth["id"] = len(annotations) + 1
            annotations.append(truth)
            for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.2, 0.5, 0.2, 0.1]))):
                other = category if rng.uniform() < 0.9 else int(rng.choice(categories))
                results.append(result(kind, truth, other, rng))
        for _ in range(int(rng.integers(0, 3))):
            fake = annotation(kind, image * 7, 1, box_in_picture(rng), False, rng)
            results.append(result(kind, fake, int(rng.choice(categories)), rng))
    rng.shuffle(results)
    truth = {
        "images": [{"id": i * 7, "file_name": f"{i}.jpg", "width": WIDTH, "height": HEIGHT} for i in range(1, images + 1)],
        "categories": [{"id": id, "name": name} for id, name in CLASSES.items()],
        "annotations": annotations,
    }
    return truth, results


def coco_numbers(kind, truth, results):
    """What pycocotools says; -1 is left out."""
    gt = COCO()
    gt.dataset = json.loads(json.dumps(truth))
    quiet(gt.createIndex)
    dt = quiet(gt.loadRes, json.loads(json.dumps(results)))
    evaluation = COCOeval(gt, dt, kind)

    def stats():
        quiet(evaluation.evaluate)
        quiet(evaluation.accumulate)
        quiet(evaluation.summarize)
        s = evaluation.stats
        names = ["ap", "ap50", "ap75", "ap_medium", "ap_large", "ar", None, None, "ar_medium", "ar_large"]
        if kind != "keypoints":
            names = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", None, None, "ar"]
            names += ["ar_small", "ar_medium", "ar_large"]
        return {name: float(value) for name, value in zip(names, s) if name and value >= 0}

    numbers = {"all": stats(), "per_category": {}}
    for category in CLASSES:
        evaluation.params.catIds = [category]
        found = stats()
        if found:
            numbers["per_category"][str(category)] = found
    return numbers


def coco_cases():
    """Boxes (also very many in one picture), masks, keypoints."""
    sizes = {"bbox": [(1, 16, 9), (2, 3, 4)], "segm": [(3, 14, 8), (4, 2, 3)], "keypoints": [(5, 14, 6), (6, 3, 3)]}
    cases = []
    for kind, scenes in sizes.items():
        for seed, images, objects in scenes:
            truth, results = coco_scene(kind, seed, images, objects)
            cases.append({"kind": kind, "truth": truth, "results": results})
    # More predictions than count.
    rng = np.random.default_rng(7)
    truth, _ = coco_scene("bbox", 8, 2, 6)
    results = [result("bbox", truth["annotations"][i % len(truth["annotations"])], 1, rng) for i in range(260)]
    cases.append({"kind": "bbox", "truth": truth, "results": results})
    for case in cases:
        case["numbers"] = coco_numbers(case["kind"], case["truth"], case["results"])
    return cases


def polygon_cases():
    """Outlines of all kinds, the masks they make, and the IoU of those masks."""
    rng = np.random.default_rng(9)
    height, width = 30, 40
    outlines = [
        [[0, 0, 40, 0, 40, 30, 0, 30]],
        [[-10, -10, 50, -10, 50, 40, -10, 40]],
        [[5, 5, 5, 5, 5, 5]],
        [[5.5, 5.5, 6.4, 5.5, 6.4, 6.4, 5.5, 6.4]],
        [[2, 2, 30, 25, 30, 2, 2, 25]],
        [[100, 100, 120, 100, 110, 120]],
        [[3, 3, 12, 3, 12, 12, 3, 12], [8, 8, 20, 8, 20, 20, 8, 20], [25, 3, 30, 3, 30, 9]],
        [[10, 10, 10, 10, 20, 10, 20, 20, 20, 20, 10, 20]],
    ]
    for corners in [3, 4, 5, 8, 20]:
        for scale in [1.0, 1.6]:
            points = rng.uniform([-0.3 * scale, -0.3 * scale], [scale, scale], (corners, 2)) * [width, height]
            outlines.append([[round(float(v), 2) for v in points.ravel()]])
    rles = [mask_utils.merge(mask_utils.frPyObjects(outline, height, width)) for outline in outlines]
    drawn = [
        {"outlines": o, "counts": uncompressed(r)["counts"], "packed": r["counts"].decode(), "area": int(mask_utils.area(r))}
        for o, r in zip(outlines, rles)
    ]
    crowd = [i % 3 == 0 for i in range(len(rles))]
    iou = mask_utils.iou(rles, rles, crowd)
    return {"height": height, "width": width, "drawn": drawn, "crowd": crowd, "iou": np.round(iou, 8).tolist()}


# --------------------------------------------------------------------------------------------------- tracking


def walks(rng, frames, subjects):
    """Per subject: id, class, first and last frame, box at the first and speed."""
    made = []
    for id in range(1, subjects + 1):
        first = int(rng.integers(1, frames // 2))
        last = int(rng.integers(first + 5, frames + 1))
        box = np.array([rng.uniform(0, 250), rng.uniform(0, 180), rng.uniform(20, 50), rng.uniform(30, 70)])
        made.append((id, int(rng.choice([1, 1, 2, 3])), first, last, box, rng.uniform(-4, 4, 2)))
    return made


def follow(rng, subjects, frames, number):
    """Truth rows and track rows of one sequence. `number` gives the next free track number."""
    truth, tracks, found_as = [], [], {}
    for frame in range(1, frames + 1):
        for id, kind, first, last, box, speed in subjects:
            # Frames in which nobody is there, and frames in which nobody is found.
            if not first <= frame <= last or frame % 17 == 0:
                continue
            at = box + np.concatenate([speed * (frame - first), [0, 0]])
            ignore = (id + frame // 8) % 7 == 0
            rounded = [round(float(v), 1) for v in at]
            truth.append([frame, id, *rounded, 0 if ignore else 1, kind, 0.2 if ignore else 0.9])
            if rng.uniform() < 0.12 or frame % 23 == 0:
                continue
            if id not in found_as or rng.uniform() < 0.04:
                found_as[id] = number()
            noise = rng.choice([0.5, 2.0, 6.0])
            tracks.append([frame, found_as[id], *jittered(at[:2], noise, rng), *rounded[2:], 0.8, kind, -1, -1])
        if rng.uniform() < 0.15 and len(found_as) > 1:
            a, b = rng.choice(list(found_as), 2, replace=False)
            found_as[a], found_as[b] = found_as[b], found_as[a]
        if rng.uniform() < 0.25:
            box = [round(float(v), 1) for v in (rng.uniform(0, 280), rng.uniform(0, 180), 30, 50)]
            tracks.append([frame, number(), *box, 0.3, int(rng.choice([1, 2, 3])), -1, -1])
    # A swap may have put one number on two subjects of a class in one frame.
    seen, unique = set(), []
    for row in tracks:
        if (row[0], row[1]) not in seen:
            seen.add((row[0], row[1]))
            unique.append(row)
    return truth, unique


def counter():
    """Numbers from 1."""
    state = iter(range(1, 100000))
    return lambda: next(state)


def text(rows):
    """MOTChallenge lines."""
    return "".join(",".join(str(v) for v in row) + "\n" for row in rows)


def trackeval_numbers(sequences, lengths):
    """What TrackEval says of one class: per sequence and combined. Ignored truth goes in as class 8, distractor."""
    with tempfile.TemporaryDirectory() as folder:
        gt, found = Path(folder) / "gt", Path(folder) / "trackers"
        (found / "ours" / "data").mkdir(parents=True)
        for name, (truth, tracks) in sequences.items():
            (gt / name / "gt").mkdir(parents=True)
            rows = [[*row[:6], row[6], 1 if row[6] else 8, row[8]] for row in truth]
            (gt / name / "gt" / "gt.txt").write_text(text(rows))
            (found / "ours" / "data" / f"{name}.txt").write_text(text([[*row[:7], 1, -1, -1] for row in tracks]))
        dataset = trackeval.datasets.MotChallenge2DBox({
            "GT_FOLDER": str(gt), "TRACKERS_FOLDER": str(found), "SKIP_SPLIT_FOL": True, "SEQ_INFO": lengths,
            "BENCHMARK": "MOT17", "PRINT_CONFIG": False,
        })
        metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
                   trackeval.metrics.Identity({"PRINT_CONFIG": False})]
        config = {"USE_PARALLEL": False, "PRINT_RESULTS": False, "PRINT_CONFIG": False, "TIME_PROGRESS": False,
                  "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False, "PLOT_CURVES": False, "LOG_ON_ERROR": None,
                  "BREAK_ON_ERROR": True}
        results, _ = trackeval.Evaluator(config).evaluate([dataset], metrics)
    return {name: found["pedestrian"] for name, found in results["MotChallenge2DBox"]["ours"].items()}


def tracking_row(found):
    """Our names for TrackEval's."""
    hota, clear, identity = found["HOTA"], found["CLEAR"], found["Identity"]
    row = {name.lower(): float(np.mean(hota[name])) for name in ["HOTA", "DetA", "AssA", "LocA"]}
    row |= {name.lower(): float(clear[name]) for name in ["MOTA", "MOTP"]}
    row |= {"fp": clear["CLR_FP"], "fn": clear["CLR_FN"]}
    row |= {name.lower(): clear[name] for name in ["IDSW", "Frag", "MT", "PT", "ML"]}
    row |= {name.lower(): float(identity[name]) for name in ["IDF1", "IDP", "IDR"]}
    row |= {name.lower(): identity[name] for name in ["IDTP", "IDFP", "IDFN"]}
    return {name: value if isinstance(value, float) else int(value) for name, value in row.items()}


def tracking_case():
    """Three sequences of three classes; the last sequence has nothing found."""
    rng = np.random.default_rng(11)
    sequences, lengths = {}, {}
    for name, frames, subjects in [("square", 80, 20), ("lane", 60, 12), ("gate", 20, 3)]:
        truth, tracks = follow(rng, walks(rng, frames, subjects), frames, counter())
        sequences[name] = (truth, [] if name == "gate" else tracks)
        lengths[name] = frames
    numbers, combined = {}, {}
    for kind, label in CLASSES.items():
        of_kind = {n: ([r for r in t if r[7] == kind], [r for r in p if r[7] == kind]) for n, (t, p) in sequences.items()}
        found = quiet(trackeval_numbers, of_kind, lengths)
        combined[label] = found["COMBINED_SEQ"]
        numbers[label] = {name: tracking_row(row) for name, row in found.items()}
    every = {}
    for metric in [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
                   trackeval.metrics.Identity({"PRINT_CONFIG": False})]:
        name = metric.get_name()
        every[name] = metric.combine_classes_det_averaged({label: row[name] for label, row in combined.items()})
    return {
        "sequences": {name: {"truth": text(t), "tracks": text(p)} for name, (t, p) in sequences.items()},
        "per_class": numbers,
        "all": tracking_row(every),
    }


def cross_camera_case():
    """Subjects on three cameras; TrackEval sees the cameras one after the other."""
    rng = np.random.default_rng(13)
    frames, cameras, number = 40, {}, counter()
    subjects = walks(rng, frames, 9)
    shared = {}
    for camera in ["plaza", "street", "yard"]:
        moved = [(id, 1, first, last, rng.permutation(box[:2]).tolist() + box[2:].tolist(), speed)
                 for id, _, first, last, box, speed in subjects if rng.uniform() < 0.8]
        moved = [(id, kind, first, last, np.array(box), speed) for id, kind, first, last, box, speed in moved]
        truth, tracks = follow(rng, moved, frames, number)
        # Most tracks are recognised as an identity known from another camera, some as the wrong one.
        for row in tracks:
            key = row[1]
            if key not in shared:
                near = [t[1] for t in truth if t[0] == row[0] and abs(t[2] - row[2]) < 15 and abs(t[3] - row[3]) < 15]
                shared[key] = near[0] if near and rng.uniform() < 0.7 else 100 + key
            row[1], row[7] = shared[key], 1
        seen = set()
        tracks = [r for r in tracks if (r[0], r[1]) not in seen and not seen.add((r[0], r[1]))]
        cameras[camera] = (truth, tracks)
    rows = {"truth": [], "tracks": []}
    for place, (truth, tracks) in enumerate(cameras.values()):
        rows["truth"] += [[row[0] + place * frames, *row[1:]] for row in truth]
        rows["tracks"] += [[row[0] + place * frames, *row[1:]] for row in tracks]
    found = quiet(trackeval_numbers, {"site": (rows["truth"], rows["tracks"])}, {"site": frames * len(cameras)})
    row = tracking_row(found["site"])
    return {
        "cameras": {name: {"truth": text(t), "tracks": text(p)} for name, (t, p) in cameras.items()},
        "numbers": {name: row[name] for name in ["idf1", "idp", "idr", "idtp", "idfp", "idfn"]},
    }


# --------------------------------------------------------------------------------------------------- reid


def reid_case():
    """Embeddings of 20 subjects on 4 cameras, some queries without a counterpart, and ties."""
    rng = np.random.default_rng(17)
    centres = rng.normal(0, 1, (20, 12))

    def views(count):
        identity, camera = rng.integers(0, 20, count), rng.integers(0, 4, count)
        made = centres[identity] + rng.normal(0, 0.9, (count, 12))
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return np.round(made, 3).astype(np.float32), identity, camera

    (q, q_id, q_cam), (g, g_id, g_cam) = views(40), views(150)
    g[1::15] = g[::15]  # equal distances
    q_id[:3] = 50  # nobody else is 50
    distance = 1 - (q.astype(np.float64) @ g.T.astype(np.float64)) / (
        np.linalg.norm(q.astype(np.float64), axis=1)[:, None] * np.linalg.norm(g.astype(np.float64), axis=1)[None])
    # Equal rows must be exactly equal, whatever the order of summation.
    distance[:, 1::15] = distance[:, ::15]
    precisions, first = [], []
    for i in range(len(q)):
        order = np.argsort(distance[i], kind="stable")
        order = order[~((g_id[order] == q_id[i]) & (g_cam[order] == q_cam[i]))]
        same = g_id[order] == q_id[i]
        if same.any():
            hits = np.cumsum(same) / np.arange(1, len(same) + 1)
            precisions.append(hits[same].mean())
            first.append(np.flatnonzero(same)[0] + 1)
    first = np.array(first)
    as_list = lambda e, i, c: [{"embedding": [round(float(v), 3) for v in a], "identity": int(b), "camera": int(d)} for a, b, d in zip(e, i, c)]
    return {
        "query": as_list(q, q_id, q_cam),
        "gallery": as_list(g, g_id, g_cam),
        "numbers": {"rank1": float((first <= 1).mean()), "rank5": float((first <= 5).mean()),
                    "rank10": float((first <= 10).mean()), "map": float(np.mean(precisions)), "queries": len(first)},
    }


def main():
    """Writes all files and says how large they are."""
    OUT.mkdir(parents=True, exist_ok=True)
    cases = {"coco": coco_cases(), "polygons": polygon_cases(), "tracking": tracking_case(),
             "cross_camera": cross_camera_case(), "reid": reid_case()}
    for name, case in cases.items():
        path = OUT / f"{name}.json"
        path.write_text(json.dumps(case, separators=(",", ":")) + "\n")
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
