"""Begins a training from exported weights: detection.onnx, pose.onnx and segmentation.onnx, as in ../engines.

In an exported file each batch norm is fused into its convolution. Here it is put back as one that changes nothing:
its statistics are measured on pictures, its gain and shift undo them.
"""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from model import HEIGHT, WIDTH, Exported, SceneModel

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def weights(path):
    """The (weight, bias) of every convolution of an ONNX file, in the order in which they run."""
    graph = onnx.load(str(path)).graph
    stored = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    return [
        tuple(torch.from_numpy(stored[name].copy()) for name in node.input[1:])
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose")
    ]


def in_order(network, kinds, example):
    """The names of `network`'s modules of some kinds, in the order in which they run."""
    names, hooks = [], []
    for name, module in network.named_modules():
        if isinstance(module, kinds):
            hooks.append(module.register_forward_hook(lambda *_, name=name: names.append(name)))
    network(example)
    for hook in hooks:
        hook.remove()
    return names


@torch.no_grad()
def start(model: SceneModel, folder, images):
    """Gives `model` the weights of the files in `folder`; channels it has more than they begin silent.

    `images` [B, 3, 288, 512], 0..1, are what batch norms measure their statistics on.
    """
    biases = {}
    for task in model.tasks:
        network = Exported(model, task).eval()
        names = in_order(network, CONVOLUTIONS, torch.zeros(1, 3, HEIGHT, WIDTH))
        for name, (weight, bias) in zip(names, weights(Path(folder) / task / "model.onnx"), strict=True):
            module = network.get_submodule(name)
            out, inner = weight.shape[:2]
            if any(have < got for have, got in zip(module.weight.shape, weight.shape)):
                raise ValueError(f"{task}: {name} of {list(weight.shape)} does not fit {list(module.weight.shape)}")
            module.weight[:out, inner:] = 0  # new channels say nothing to old ones yet
            module.weight[:out, :inner] = weight
            if module.bias is not None:
                module.bias[:out] = bias
            else:
                biases[name.rpartition(".")[0] + ".1"] = bias

    def measure(norm, inputs, bias):
        (x,) = inputs
        var, mean = torch.var_mean(x.float(), (0, 2, 3), unbiased=False)
        norm.running_mean.copy_(mean), norm.running_var.copy_(var)
        norm.weight.copy_((var + norm.eps).sqrt())
        norm.bias.copy_(mean)
        norm.bias[: len(bias)] += bias

    network, hooks = Exported(model, model.tasks[0]).eval(), []
    for name, bias in biases.items():
        norm = network.get_submodule(name)
        hooks.append(norm.register_forward_pre_hook(lambda n, x, bias=bias: measure(n, x, bias)))
    model(images)
    for hook in hooks:
        hook.remove()
