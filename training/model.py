"""The networks: one trunk shared by detection, pose and segmentation, their heads, and the ReID network.

Plain 3x3 convolutions with few channels and ReLU: on one CPU core (onnxruntime, AVX-512) they are faster than
depthwise networks of the same arithmetic, and every operator is one that TensorRT takes without a plugin.
"""

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = ("person", "bicycle", "car")
TASKS = ("detection", "pose", "segmentation")
STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 512, 288
KEYPOINTS = 17
MASK_COEFS = 32


def conv(cin: int, cout: int, k: int = 3, s: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution, batch norm and ReLU: one fused operator after export."""
    layers = [nn.Conv2d(cin, cout, k, s, k // 2, bias=False), nn.BatchNorm2d(cout, momentum=0.03)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Block(nn.Module):
    """Residual block: two 3x3 convolutions through `hidden` channels."""

    def __init__(self, c: int, hidden: int):
        super().__init__()
        self.body = nn.Sequential(conv(c, hidden), conv(hidden, c, relu=False))

    def forward(self, x):
        return F.relu(x + self.body(x))


def up(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Trunk(nn.Module):
    """Backbone to stride 32 and a two-way pyramid; returns stride 4 and strides 8, 16, 32."""

    def __init__(self, w=(16, 32, 48, 96, 128), depth=(1, 1, 2, 1), neck=48):
        super().__init__()

        def stage(i):
            hidden = -(-w[i] // 32) * 16  # onnxruntime computes channels in sixteens
            blocks = [Block(w[i], hidden) for _ in range(depth[i - 1])]
            return nn.Sequential(conv(w[i - 1], w[i], s=2), *blocks)

        self.stem = conv(3, w[0], s=2)
        self.c2, self.c3, self.c4, self.c5 = (stage(i) for i in (1, 2, 3, 4))
        self.lateral = nn.ModuleList(conv(c, neck, 1, relu=False) for c in w[2:])
        self.top_down = nn.ModuleList(conv(neck, neck) for _ in range(2))
        self.down = nn.ModuleList(conv(neck, neck, s=2, relu=False) for _ in range(2))
        self.bottom_up = nn.ModuleList(conv(neck, neck) for _ in range(2))

    def forward(self, x):
        c2 = self.c2(self.stem(x))
        c3 = self.c3(c2)
        c4 = self.c4(c3)
        c5 = self.c5(c4)
        l3, l4, l5 = (f(c) for f, c in zip(self.lateral, (c3, c4, c5)))
        l5 = F.relu(l5)
        n4 = self.top_down[0](l4 + up(l5))
        n3 = self.top_down[1](l3 + up(n4))
        n4 = self.bottom_up[0](F.relu(n4 + self.down[0](n3)))
        n5 = self.bottom_up[1](F.relu(l5 + self.down[1](n4)))
        return c2, (n3, n4, n5)


class Head(nn.Module):
    """Per level a tower of 3x3 convolutions and a 1x1 output of `out` channels; returns [B, out, n] over all levels."""

    def __init__(self, c: int, out: int, *tower: int):
        super().__init__()
        widths = list(zip((c, *tower), tower))
        self.towers = nn.ModuleList(nn.Sequential(*(conv(a, b) for a, b in widths)) for _ in STRIDES)
        self.outs = nn.ModuleList(nn.Conv2d(tower[-1], out, 1) for _ in STRIDES)

    def forward(self, levels):
        features = [tower(x) for x, tower in zip(levels, self.towers)]
        with torch.autocast(features[0].device.type, enabled=False):  # bf16 outputs would cost half a pixel
            return torch.cat([out(f.float()).flatten(2) for f, out in zip(features, self.outs)], 2)


class Proto(nn.Module):
    """Mask prototypes at stride 4, from the stride-8 pyramid level and the stride-4 features."""

    def __init__(self, c: int, c2: int, hidden: int = 32):
        super().__init__()
        self.up = nn.ConvTranspose2d(c, hidden, 2, 2)
        self.skip = conv(c2, hidden, 1, relu=False)
        self.body = nn.Sequential(conv(hidden, hidden), nn.Conv2d(hidden, MASK_COEFS, 1))

    def forward(self, n3, c2):
        return self.body(F.relu(self.up(n3) + self.skip(c2)))


def anchor_grid(width: int = WIDTH, height: int = HEIGHT):
    """Anchor centres [2, n] and strides [1, n] in input pixels, levels in the order 8, 16, 32."""
    points, strides = [], []
    for s in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // s), torch.arange(width // s), indexing="ij")
        points.append((torch.stack((x.flatten(), y.flatten())).float() + 0.5) * s)
        strides.append(torch.full((1, x.numel()), float(s)))
    return torch.cat(points, 1), torch.cat(strides, 1)


class SceneModel(nn.Module):
    """Trunk and the heads of `tasks`. `forward` returns raw maps by name; `decode` gives the exported layout."""

    def __init__(self, tasks=TASKS, neck: int = 48):
        super().__init__()
        self.tasks = tuple(tasks)
        self.trunk = Trunk(neck=neck)
        self.box = Head(neck, 4 + len(CLASSES), neck)
        self.keypoints = Head(neck, KEYPOINTS * 3, 64, 64) if "pose" in tasks else None
        self.coefs = Head(neck, MASK_COEFS, 32) if "segmentation" in tasks else None
        self.proto = Proto(neck, 32) if "segmentation" in tasks else None
        points, strides = anchor_grid()
        self.register_buffer("points", points, persistent=False)
        self.register_buffer("strides", strides, persistent=False)
        for out in self.box.outs:  # start from boxes of a likely size and rare objects
            nn.init.normal_(out.weight, std=0.01)
            out.bias.data = torch.tensor([0.0, 0.0, 1.0, 1.5] + [-4.6] * len(CLASSES))

    def forward(self, x):
        c2, levels = self.trunk(x)
        raw = {"box": self.box(levels)}
        if self.keypoints:
            raw["keypoints"] = self.keypoints(levels)
        if self.coefs:
            raw["coefs"], raw["proto"] = self.coefs(levels), self.proto(levels[0], c2)
        return raw

    def boxes(self, raw):
        """[B, 4, n] as cx, cy, w, h in input pixels."""
        centre = raw[:, :2] * self.strides + self.points
        return torch.cat((centre, raw[:, 2:4].exp() * self.strides), 1)

    def points_of(self, raw):
        """Keypoints [B, 17, 3, n]: x, y in input pixels and the logit of visibility."""
        k = raw.unflatten(1, (KEYPOINTS, 3))
        xy = k[:, :, :2] * (2 * self.strides) + self.points
        return torch.cat((xy, k[:, :, 2:]), 2)


class Exported(nn.Module):
    """One task of a SceneModel with the documented output layout."""

    def __init__(self, model: SceneModel, task: str, calibration=None):
        super().__init__()
        self.model, self.task = model, task
        slope, offset = (1.0, 0.0) if calibration is None else calibration.tolist()
        self.slope, self.offset = slope, offset

    def forward(self, images):
        m = self.model
        c2, levels = m.trunk(images)
        raw = m.box(levels)
        boxes, scores = m.boxes(raw), (raw[:, 4:] * self.slope + self.offset).sigmoid()
        if self.task == "detection":
            return torch.cat((boxes, scores), 1)
        if self.task == "pose":
            k = m.points_of(m.keypoints(levels))
            k = torch.cat((k[:, :, :2], k[:, :, 2:].sigmoid()), 2).flatten(1, 2)
            return torch.cat((boxes, scores[:, :1], k), 1)
        return torch.cat((boxes, scores, m.coefs(levels)), 1), m.proto(levels[0], c2)


class ReidModel(nn.Module):
    """Appearance embedding of a crop: [N, 3, 128, 64] RGB 0..1 to [N, 128].

    Pooled in four stripes from head to foot, so that the order of the clothes is kept.
    """

    def __init__(self, w=(16, 32, 64, 144), dim: int = 128):
        super().__init__()
        layers = [conv(3, w[0], s=2)]
        for i in range(1, len(w)):
            layers += [conv(w[i - 1], w[i], s=2), Block(w[i], w[i] // 2)]
        self.features = nn.Sequential(*layers)
        self.pool = nn.AvgPool2d((2, 4))
        self.fc = nn.Linear(w[-1] * 4, dim)

    def forward(self, x):
        return self.fc(self.pool(self.features(x * 4 - 2)).flatten(1))
