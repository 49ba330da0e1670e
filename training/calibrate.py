"""Makes a score the chance that the box is right: a slope and an offset (Platt, 1999), the same for all classes.

The network learns scores that follow the overlap it expects, which are lower than that chance: a box that is as good
as certain has .75. Trackers and users read scores as chances.
"""

import cv2
import numpy as np
import torch

from assign import iou
from data import read_image, truth
from evaluate import suppress
from export import session
from model import CLASSES, HEIGHT, WIDTH

RIGHT = 0.5


def verdicts(path, folders):
    """The logits of all boxes that detection.onnx finds in `folders`, and whether each is right."""
    network = session(path)
    logits, right = [], []
    for folder in folders:
        for frame in truth(folder):
            image = cv2.resize(read_image(frame["path"]), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
            output = network.run(None, {"images": image.transpose(2, 0, 1)[None].astype(np.float32) / 255})[0][0]
            at, labels, scores = suppress(output)
            scale = np.array([frame["width"] / WIDTH, frame["height"] / HEIGHT] * 2)
            centre, half = output[:2, at].T, output[2:4, at].T / 2
            boxes = np.concatenate((centre - half, centre + half), 1) * scale
            objects = frame["objects"]
            wanted = torch.tensor([o["box"] for o in objects], dtype=torch.float64).reshape(-1, 4)
            overlaps = iou(torch.from_numpy(boxes)[:, None], wanted[None]).numpy()
            taken = set()
            for box, label, score in zip(range(len(at)), labels, scores):  # best first
                same = [i for i, o in enumerate(objects) if o["class"] == CLASSES[label] and i not in taken]
                best = max(same, key=lambda i: overlaps[box, i], default=None)
                hit = best is not None and overlaps[box, best] >= RIGHT
                if hit and objects[best]["ignore"]:
                    continue
                if hit:
                    taken.add(best)
                score = min(max(float(score), 1e-6), 1 - 1e-6)
                logits.append(np.log(score / (1 - score)))
                right.append(float(hit))
    return logits, right


def fit(logits, right):
    """Slope and offset that make sigmoid(slope * logit + offset) the likeliest."""
    x, y = torch.tensor(logits), torch.tensor(right, dtype=torch.float64)
    parameters = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(parameters[0] * x + parameters[1], y)
        value.backward()
        return value

    optimiser.step(loss)
    return parameters.detach()


def calibration(path, folders):
    """[slope, offset]. Were they each class's own, an anchor's best class would not be what the network learned."""
    return fit(*verdicts(path, folders)).float()
