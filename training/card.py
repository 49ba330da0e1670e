"""Ships trained models: copies the ONNX files into engines/, writes each model.toml with its card, and the table of cards.

python card.py ONNX EVAL.json BENCH.txt --note "45 minutes on 2 cores"

EVAL.json is what `watchkeeper eval --config street.toml --json` printed for the held-out seeds, BENCH.txt what
`cargo bench --bench models` printed.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

ENGINES = Path(__file__).resolve().parent.parent / "engines"
CLASSES = ["person", "bicycle", "car"]
# Labels, and where the card's figures stand in the evaluation.
MODELS = {
    "detection": (CLASSES, {"ap50": "detection/ap50", "ap": "detection/ap", "hota": "tracking/hota", "idf1": "tracking/idf1"}),
    "pose": (["person"], {"oks_ap50": "keypoints/ap50", "oks_ap": "keypoints/ap"}),
    "segmentation": (CLASSES, {"mask_ap50": "segmentation/ap50", "mask_ap": "segmentation/ap"}),
    "reid": (["person"], {"rank1": "reid/rank1", "map": "reid/map", "cross_camera_idf1": "cross_camera/idf1"}),
}
LIGHTS = ["all", "day", "dusk", "night"]


def figure(report: dict, light: str, path: str):
    """A figure of the evaluation, to three decimals; None where it was not computed."""
    section, name = path.split("/")
    value = report.get(light, {}).get(section, {}).get(name)
    return None if value is None else round(value, 3)


def manifest(name: str, digest: str, report: dict, cost: float, note: str) -> str:
    labels, figures = MODELS[name]
    reid = name == "reid"
    lines = [
        'schema = "model/1"',
        'file = "model.onnx"',
        f'sha256 = "{digest}"',
        f'task = "{name}"',
        f'head = "{"embedding" if reid else "yolo"}"',
        f"labels = {json.dumps(labels)}",
        f"input_size_px = {[64, 128] if reid else [512, 288]}",
        *(["input = { mean = [0, 0, 0], std = [255, 255, 255] }"] if reid else ["min_score = 0.1", "nms_iou = 0.6"]),
        "",
        "[training]",
        'code = "training/"',
        f'command = "train.py {"reid" if reid else "scene"}"',
        'data = "streetscene, seeds from 1000"',
        f"note = {json.dumps(note)}",
        "",
        "# On seeds 1 to 20, which it never saw: 4 cameras, 10 frames a second. 0 to 1.",
        "[card]",
        f"ms_per_frame_one_core = {cost}",
    ]
    for light in LIGHTS:
        values = {key: figure(report, light, path) for key, path in figures.items()}
        inner = ", ".join(f"{key} = {value}" for key, value in values.items() if value is not None)
        lines += [f"{light} = {{ {inner} }}"] if inner else []
    return "\n".join(lines) + "\n"


def table(report: dict, costs: dict) -> str:
    head = ["figure", *LIGHTS]
    rows = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, (_, figures) in MODELS.items():
        for key, path in figures.items():
            cells = [figure(report, light, path) for light in LIGHTS]
            rows.append(f"| `{name}`: {key} | " + " | ".join("" if v is None else f"{v:.3f}" for v in cells) + " |")
    total = sum(costs.values())
    each = ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
    rows += ["", f"One frame on one core, milliseconds (ReID: 8 persons): {each}; together {total:.1f}."]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("eval", type=Path)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--note", default="")
    args = parser.parse_args()
    report = json.loads(args.eval.read_text())
    rows = [line.split() for line in args.bench.read_text().splitlines()]
    costs = {row[0]: float(row[2]) for row in rows if len(row) == 3 and row[0] in MODELS}
    for name in MODELS:
        target = ENGINES / name / "model.onnx"
        target.parent.mkdir(exist_ok=True)
        if (source := args.onnx / f"{name}.onnx").resolve() != target:
            shutil.copyfile(source, target)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        target.with_name("model.toml").write_text(manifest(name, digest, report, costs[name], args.note))
    readme = ENGINES / "README.md"
    before, rest = readme.read_text().split("<!-- cards -->")
    _, after = rest.split("<!-- end of cards -->")
    readme.write_text(f"{before}<!-- cards -->\n\n{table(report, costs)}\n\n<!-- end of cards -->{after}")


if __name__ == "__main__":
    main()
