"""Muon: momentum whose matrices are made orthogonal (Jordan et al., 2024), here for convolutions.

A convolution's weight [out, in, k, k] is taken as the matrix [out, in*k*k]. Updates are scaled to the size AdamW's have
(Moonshot, 2025), so that one learning rate and weight decay serve both.
"""

import torch


def orthogonal(matrix, steps: int = 5):
    """The nearest matrix with singular values of about 1, by Newton and Schulz's quintic iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For parameters of two dimensions and more; the rest belongs to AdamW."""

    def __init__(self, groups, lr: float, momentum: float = 0.95):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).reshape(len(p), -1)  # Nesterov
                update = orthogonal(update) * 0.2 * max(update.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update.reshape(p.shape), alpha=group["lr"])
