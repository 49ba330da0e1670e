"""Which anchors learn which object: the task-aligned assignment of TOOD / YOLOv8, for a whole batch at once."""

import torch


def iou(a, b):
    """Intersection over union of boxes x1, y1, x2, y2 in the last axis, broadcast."""
    size = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    inter = size.prod(-1)
    area = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return inter / (area - inter + 1e-7)


@torch.no_grad()
def assign(scores, boxes, points, strides, batch, topk: int = 8):
    """Assigns up to `topk` anchors to every object.

    scores [B, C, n] after sigmoid and boxes [B, n, 4] (x1, y1, x2, y2) are predictions, points [n, 2] anchor centres.
    Returns the positives as (image, anchor, object, quality), where quality is the score the anchor shall learn
    (its alignment, scaled so that the best anchor of an object learns its IoU), and `ignored` [B, n]: anchors whose
    classification has no loss.
    """
    gt, classes = batch["boxes"], batch["classes"]
    # An anchor is a candidate inside the box, grown to at least three cells of its own level.
    centre, half = (gt[..., :2] + gt[..., 2:]) / 2, (gt[..., 2:] - gt[..., :2]) / 2
    reach = torch.maximum(half[:, :, None], torch.minimum(1.5 * strides, 3 * half[:, :, None].amin(-1, True)))
    inside = ((points - centre[:, :, None]).abs() < reach).all(-1)  # [B, M, n]
    b, m, a = (inside & (classes >= 0)[..., None]).nonzero(as_tuple=True)
    overlap = iou(boxes[b, a], gt[b, m])
    ignorable = batch["ignore"][b, m]
    ignored = torch.zeros(scores.shape[0], scores.shape[2], dtype=torch.bool, device=gt.device)
    true_inside = ((points[a] - centre[b, m]).abs() < half[b, m]).all(-1)
    drop = ignorable & (true_inside | (overlap > 0.5))
    ignored[b[drop], a[drop]] = True

    b, m, a, overlap = (x[~ignorable] for x in (b, m, a, overlap))
    align = scores[b, classes[b, m], a].sqrt() * overlap.pow(6) + 1e-9
    dense = torch.zeros(inside.shape, device=gt.device)
    dense[b, m, a] = align
    best, at = dense.topk(topk, -1)
    keep = torch.zeros_like(dense).scatter_(-1, at, best)
    # An anchor wanted by several objects goes to the one it overlaps best.
    wide = torch.zeros_like(dense)
    wide[b, m, a] = overlap
    wide *= keep > 0
    owner = torch.zeros_like(keep, dtype=torch.bool).scatter_(1, wide.argmax(1, True), True)
    keep *= owner
    b, m, a = (keep > 0).nonzero(as_tuple=True)
    top_align, top_iou = keep.amax(-1), (wide * (keep > 0)).amax(-1)
    quality = keep[b, m, a] / top_align[b, m] * top_iou[b, m]
    ignored[b, a] = False
    return b, a, m, quality, ignored
