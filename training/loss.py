"""Losses of the scene model: box and class (YOLOv8), keypoints (OKS) and masks (YOLACT)."""

import torch
from torch.nn import functional as F

from assign import assign, iou
from model import CLASSES

# COCO's keypoint spread, from nose to ankles.
SIGMAS = torch.tensor([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
MASKS = 16  # per picture
WEIGHTS = {"class": 1.0, "box": 8.0, "keypoints": 10.0, "visible": 0.5, "mask": 3.0}


def corners(boxes):
    """[B, 4, n] centre and size to [B, n, 4] x1, y1, x2, y2."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat((centre - half, centre + half), 1).transpose(1, 2)


def box_loss(pred, gt):
    """One minus the distance-IoU, per pair."""
    union = torch.maximum(pred[:, 2:], gt[:, 2:]) - torch.minimum(pred[:, :2], gt[:, :2])
    offset = (pred[:, :2] + pred[:, 2:] - gt[:, :2] - gt[:, 2:]) / 2
    return 1 - iou(pred, gt) + offset.square().sum(1) / (union.square().sum(1) + 1e-7)


def keypoint_loss(pred, gt, areas):
    """Position and visibility losses per person.

    pred [p, 17, 3] (the third a logit), gt [p, 17, 3] (the third 0, 1 or 2), areas [p] in square pixels.
    """
    known = (gt[..., 2] > 0).float()
    count = known.sum(1).clamp(min=1)
    error = (pred[..., :2] - gt[..., :2]).square().sum(-1)
    error = error / (2 * (2 * SIGMAS.to(error)).square() * areas[:, None].clamp(min=64))
    # 1 - exp(-e) is 1 - OKS; log(1 + e) equals it near 0 and still pulls from afar.
    position = (torch.log1p(error) * known).sum(1) / count
    visible = F.binary_cross_entropy_with_logits(pred[..., 2], (gt[..., 2] == 2).float(), reduction="none").mean(1)
    return position, visible


def mask_loss(coefs, proto, ids, boxes, objects):
    """Per instance of one picture: BCE inside the box, over its area, plus dice.

    coefs [p, 32], proto [32, 72, 128], ids [144, 256] instance map, boxes [p, 4] in input pixels, objects [p].
    """
    gt = F.avg_pool2d((ids[None] == objects[:, None, None] + 1).float()[:, None], 2)[:, 0]
    logits = torch.einsum("pc,chw->phw", coefs, proto)
    y, x = (torch.arange(n, device=gt.device) + 0.5 for n in gt.shape[1:])
    x1, y1, x2, y2 = (boxes / 4)[:, :, None].unbind(1)
    crop = ((x >= x1 - 0.5) & (x < x2 + 0.5))[:, None] & ((y >= y1 - 0.5) & (y < y2 + 0.5))[:, :, None]
    bce = (F.binary_cross_entropy_with_logits(logits, gt, reduction="none") * crop).sum((1, 2))
    prob = logits.sigmoid() * crop
    dice = 1 - (2 * (prob * gt).sum((1, 2)) + 1) / (prob.sum((1, 2)) + gt.sum((1, 2)) + 1)
    return bce / crop.sum((1, 2)).clamp(min=1) + dice


def scene_loss(model, raw, batch):
    """The weighted sum of all losses and the parts by name."""
    strides, points = model.strides.T, model.points.T
    pred = corners(model.boxes(raw["box"].float()))
    logits = raw["box"][:, 4:].float()
    b, a, m, quality, ignored = assign(logits.sigmoid(), pred.detach(), points, strides, batch)
    want = torch.zeros_like(logits)
    want[b, batch["classes"][b, m], a] = quality
    total = quality.sum().clamp(min=1)
    bce = F.binary_cross_entropy_with_logits(logits, want, reduction="none")
    parts = {"class": (bce * ~ignored[:, None]).sum() / total}
    gt = batch["boxes"][b, m]
    parts["box"] = (box_loss(pred[b, a], gt) * quality).sum() / total
    if "keypoints" in raw:
        person = (batch["classes"][b, m] == 0) & (batch["keypoints"][b, m][..., 2] > 0).any(1)
        pb, pa, pm = b[person], a[person], m[person]
        points = model.points_of(raw["keypoints"].float())[pb, :, :, pa]
        areas = 0.53 * (gt[person][:, 2:] - gt[person][:, :2]).prod(1)
        losses = keypoint_loss(points, batch["keypoints"][pb, pm], areas)
        weight = quality[person] / quality[person].sum().clamp(min=1)
        parts["keypoints"], parts["visible"] = ((loss * weight).sum() for loss in losses)
    if "coefs" in raw:
        losses = []
        for i in range(len(batch["ids"])):
            mine = (b == i).nonzero()[:, 0]
            rare = batch["classes"][i, m[mine]] == CLASSES.index("bicycle")  # and the hardest to draw
            if len(mine) > MASKS:  # all would be slow
                mine = mine[torch.multinomial(1.0 + 2.0 * rare, MASKS)]
            coefs = raw["coefs"][i, :, a[mine]].T.float()
            losses.append(mask_loss(coefs, raw["proto"][i].float(), batch["ids"][i], gt[mine], m[mine]))
        parts["mask"] = torch.cat(losses).sum() / max(1, sum(map(len, losses)))
    return sum(WEIGHTS[name] * part for name, part in parts.items()), parts
