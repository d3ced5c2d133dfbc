#!/usr/bin/env python3
"""Writes batchnorm.json: batch normalisation by PyTorch (2.15.0), in float64.

Element i of input p is counter(p, i): x is input 0, gamma 1, beta 2, dy 7, the running mean 3
and the running variance 2 + input 4. Two training steps are made on the same batch; y and the
gradients of sum(dy*y) for x, gamma and beta are those of training, mean and variance the
running statistics after the second step, infer the result by them.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def counter(p, shape):
    n = int(torch.Size(shape).numel())
    return torch.tensor([((7919 * i + 131 * p) % 1009) / 504.5 - 1 for i in range(n)]).reshape(shape)


def numbers(t):
    return [float("%.14g" % v) for v in t.detach().flatten().tolist()]


cases = []
for shape, eps, momentum in [
    ([6, 3], 1e-5, 0.1),
    ([4, 2, 3], 1e-5, 0.1),
    ([3, 2, 2, 3], 1e-3, 0.25),
    ([2, 3, 1, 2, 2], 1e-5, 1.0),
    ([1, 2, 3, 1], 1e-5, 0.1),
]:
    c = [shape[1]]
    x, gamma, beta = (counter(p, s).requires_grad_() for p, s in enumerate([shape, c, c]))
    mean, variance = counter(3, c), 2 + counter(4, c)
    for _ in range(2):
        y = F.batch_norm(x, mean, variance, gamma, beta, training=True, momentum=momentum, eps=eps)
    grads = torch.autograd.grad(y, [x, gamma, beta], counter(7, shape))
    infer = F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=eps)
    cases.append({
        "shape": shape, "eps": eps, "momentum": momentum, "y": numbers(y), "grads": [numbers(g) for g in grads],
        "mean": numbers(mean), "variance": numbers(variance), "infer": numbers(infer),
    })

pathlib.Path(__file__).with_name("batchnorm.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")
