#!/usr/bin/env python3
"""Writes pytorch.json: images resampled by PyTorch (2.15.0), in float64.

Pixel i of the image (2,H,W) is (7919*i % 1009)/1009. Affine cases give the forward map of the
parameters (degrees, degrees, factor, parts of the width and height): the image is sheared,
turned counter-clockwise on the screen, scaled, and shifted, around its centre; grid_sample
takes the pixels by the inverse map, with zeros outside. Crop cases give a part, left, top,
width and height, and the size to which interpolate scales it.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def image(h, w):
    return torch.tensor([(7919 * i % 1009) / 1009 for i in range(2 * h * w)]).reshape(1, 2, h, w)


def affine(h, w, rotate, shear, scale, x, y):
    a, s = math.radians(rotate), math.radians(shear)
    turn = torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])  # y points down
    lean = torch.tensor([[1.0, math.tan(s)], [0.0, 1.0]])
    inverse = torch.linalg.inv(scale * turn @ lean)
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centre = torch.tensor([(w - 1) / 2, (h - 1) / 2])
    p = torch.stack([xs, ys], -1).double() - centre - torch.tensor([x * w, y * h])
    grid = (p @ inverse.T) / centre
    return F.grid_sample(image(h, w), grid[None], mode="bilinear", padding_mode="zeros", align_corners=True)


def crop(h, w, left, top, cw, ch, to_h, to_w):
    part = image(h, w)[:, :, top : top + ch, left : left + cw]
    return F.interpolate(part, size=(to_h, to_w), mode="bilinear", align_corners=False)


def numbers(t):
    return [float("%.8g" % v) for v in t.flatten().tolist()]


affines = [
    (7, 9, 0, 0, 1, 0, 0),
    (8, 8, 90, 0, 1, 0, 0),
    (7, 9, 30, 0, 1, 0, 0),
    (7, 9, 0, 20, 1, 0, 0),
    (7, 9, 0, 0, 1.7, 0, 0),
    (7, 9, 0, 0, 1, 0.25, -0.1),
    (9, 6, -55, 15, 0.8, -0.1, 0.2),
]
crops = [(9, 8, 0, 0, 8, 9, 9, 8), (9, 8, 2, 1, 5, 6, 12, 7), (9, 8, 3, 4, 1, 2, 5, 5), (9, 8, 1, 0, 7, 8, 6, 7)]
pathlib.Path(__file__).with_name("pytorch.json").write_text(
    json.dumps(
        {
            "affine": [{"parameters": c, "result": numbers(affine(*c))} for c in affines],
            "crop": [{"parameters": c, "result": numbers(crop(*c))} for c in crops],
        }
    )
    + "\n"
)
