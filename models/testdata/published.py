#!/usr/bin/env python3
"""Writes published.json: of each model the names and shapes of its parameters and running statistics, and its logits for one image.

Values come from a counter, so that the fixture is small: element i of tensor p (in the order of the state dict) is v = ((7919 i + 131 p) mod
1009) / 504.5 - 1, times 1/sqrt(fan-in) for weights of two axes or more; 1 + 0.1 v for the weight of a normalisation and for running
variances; 0.1 v for all others. The image is p = 1000, v itself. Logits are computed in float64.
"""
import json, os
import torch, torchvision

torch.set_grad_enabled(False)


def counter(p, shape):
    n = 1
    for d in shape:
        n *= d
    i = torch.arange(n, dtype=torch.int64)
    return (((7919 * i + 131 * p) % 1009).double() / 504.5 - 1).reshape(shape)


def value(p, name, t):
    v = counter(p, t.shape)
    if t.dim() > 1:
        return v / (t.numel() / t.shape[0]) ** 0.5
    if name.endswith("running_var") or name.endswith("weight"):
        return 1 + 0.1 * v
    return 0.1 * v


out = {}
for ours, theirs in [("alexnet", "alexnet"), ("vgg11", "vgg11"), ("vgg16", "vgg16"), ("resnet18", "resnet18"), ("resnet50", "resnet50"),
                     ("squeezenet", "squeezenet1_1"), ("mobilenetv2", "mobilenet_v2")]:
    net = getattr(torchvision.models, theirs)(weights=None).double().eval()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    for p, (name, t) in enumerate(state.items()):
        t.copy_(value(p, name, t))
    y = net(counter(1000, (1, 3, 224, 224)))[0]
    out[ours] = {
        "tensors": [[k] + list(v.shape) for k, v in state.items()],
        "parameters": sum(p.numel() for p in net.parameters()),
        "norm": y.norm().item(), "sum": y.sum().item(), "sample": y[::50].tolist(),
    }
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "published.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
