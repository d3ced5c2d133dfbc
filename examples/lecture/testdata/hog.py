#!/usr/bin/env python3
"""Writes hog.json: histograms of oriented gradients of a few images, by scikit-image 0.26.0 in float64.

Pixel i of image p is ((7919 i + 131 p) mod 1009) / 1009 above a ramp in image 0, and v for two rectangles in image 1;
image 2 is flat, so that its gradients are 0. The test makes the same images.
"""
import json
import pathlib

import numpy as np
from skimage.feature import hog


def image(p, height, width):
    i = np.arange(height * width)
    y, x = i // width, i % width
    v = ((7919 * i + 131 * p) % 1009) / 1009
    if p == 0:
        return (v + x / 16).reshape(height, width)
    if p == 1:
        inside = ((x > 4) & (x < 11) & (y > 2) & (y < 9)) | ((x > 13) & (y > 5))
        return np.where(inside, v, 0.25).reshape(height, width)
    return np.full((height, width), 0.5)


CASES = [
    # image, height, width, orientations, pixels a cell, cells a block
    (0, 28, 28, 9, 4, 2),
    (0, 23, 31, 8, 5, 3),
    (1, 28, 28, 9, 7, 2),
    (1, 17, 22, 6, 3, 1),
    (2, 12, 12, 9, 4, 2),
]

out = []
for p, height, width, orientations, cell, block in CASES:
    features = hog(image(p, height, width), orientations=orientations, pixels_per_cell=(cell, cell),
                   cells_per_block=(block, block), block_norm="L2-Hys")
    out.append({"image": p, "height": height, "width": width, "orientations": orientations, "cell": cell,
                "block": block, "features": [round(float(v), 9) for v in features]})
pathlib.Path(__file__).with_name("hog.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in out) + "\n]\n")
