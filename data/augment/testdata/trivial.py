#!/usr/bin/env python3
"""Writes trivial.json: the operations of torchvision's TrivialAugmentWide on a picture, and its strengths."""
import base64
import json

import torch
from torchvision.transforms import InterpolationMode, TrivialAugmentWide
from torchvision.transforms.autoaugment import _apply_op

NAMES = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness",
         "Posterize", "Solarize", "AutoContrast", "Equalize"]
H, W = 20, 26
torch.manual_seed(1)
smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 6), (H, W), mode="bicubic")[0]
img = (smooth.clamp(0, 1) * 200 + 20).to(torch.uint8)
space = TrivialAugmentWide()._augmentation_space(31)
assert list(space) == NAMES

def b64(t):
    return base64.b64encode(bytes(t.flatten().tolist())).decode()


cases = []
for i, name in enumerate(NAMES):
    bins, signed = space[name]
    for b in (0, 7, 30):
        for sign in (1, -1) if signed else (1,):
            m = float(bins[b]) * sign if bins.ndim else 0.0
            out = _apply_op(img, name, m, interpolation=InterpolationMode.BILINEAR, fill=[0.0] * 3)
            cases.append({"op": i, "bin": b, "negative": sign < 0, "name": name, "pixels": b64(out)})

with open("trivial.json", "w") as f:
    json.dump({"h": H, "w": W, "x": b64(img), "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
