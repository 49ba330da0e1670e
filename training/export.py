"""Writes trained weights as ONNX (opset 17, fp32) and checks each file against the network it came from."""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from model import CLASSES, HEIGHT, WIDTH, Exported, ReidModel, SceneModel


def session(path, threads: int = 1):
    """An onnxruntime session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write(network, example, path, outputs, batch: str | None = None, **metadata):
    """Exports `network` to `path`; raises where onnxruntime's answer differs from the network's."""
    network = network.eval().cpu()
    axes = {name: {0: batch} for name in ["images", *outputs]} if batch else None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, example, str(path), opset_version=17, dynamo=False,
            input_names=["images"], output_names=outputs, dynamic_axes=axes,
        )  # fmt: skip
        expected = network(example)
    file = onnx.load(str(path))
    for key, value in metadata.items():
        file.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(file)
    onnx.save(file, str(path))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for name, want, got in zip(outputs, expected, session(path).run(None, {"images": example.numpy()})):
        if not np.allclose(want.numpy(), got, rtol=1e-3, atol=1e-2):
            raise RuntimeError(f"{path}: {name} differs from PyTorch by up to {np.abs(want.numpy() - got).max()}")


def export_scene(model: SceneModel, out, calibration=None):
    """detection.onnx, pose.onnx and segmentation.onnx, as far as `model` has their heads.

    `calibration` [slope, offset] turns scores into chances, see calibrate.py.
    """
    Path(out).mkdir(parents=True, exist_ok=True)
    for task in model.tasks:
        names = json.dumps(CLASSES if task != "pose" else CLASSES[:1])
        outputs = ["output0", "output1"] if task == "segmentation" else ["output0"]
        example = torch.rand(1, 3, HEIGHT, WIDTH)
        write(Exported(model, task, calibration), example, Path(out) / f"{task}.onnx", outputs, task=task, names=names)


def export_reid(model: ReidModel, out):
    """reid.onnx, with any number of crops in a batch."""
    Path(out).mkdir(parents=True, exist_ok=True)
    write(model, torch.rand(3, 3, 128, 64), Path(out) / "reid.onnx", ["embedding"], batch="N", task="reid")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="scene.pt or reid.pt of a training run")
    parser.add_argument("--out", required=True, help="folder for the ONNX files")
    parser.add_argument("--calibrate", metavar="DATA", help="make scores chances, by the seeds of --validation in DATA")
    parser.add_argument("--validation", type=int, nargs=2, default=(21, 29), help="first and last validation seed")
    args = parser.parse_args()
    state = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    if state["kind"] == "reid":
        model = ReidModel()
        model.load_state_dict(state["ema"])
        export_reid(model, args.out)
    else:
        model = SceneModel(state["tasks"])
        model.load_state_dict(state["ema"])
        export_scene(model, args.out)
        if args.calibrate:
            from calibrate import calibration
            from data import seeds_in

            found = calibration(Path(args.out) / "detection.onnx", seeds_in(args.calibrate, *args.validation))
            print("slope and offset", found.tolist())
            export_scene(model, args.out, found)


if __name__ == "__main__":
    main()
