#!/usr/bin/env python3
"""Writes sobel.json: what SciPy makes of pictures/ascent.png with the two filters of Sobel, a symmetric border and the size kept.

The results are whole numbers, held here by the SHA-256 of all their float64, little-endian, rows from above, and by a few rows to look at.

    pip install numpy scipy pillow; ./sobel.py
"""
import hashlib, json, os
import numpy as np
import scipy
from PIL import Image
from scipy.signal import convolve2d

here = os.path.dirname(os.path.abspath(__file__))
image = np.asarray(Image.open(os.path.join(here, "..", "pictures", "ascent.png"))).astype(np.float64)
filters = {
    "vertical": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "horizontal": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
}
fixture, results = {"scipy": scipy.__version__}, []
for name, f in filters.items():
    y = convolve2d(image, np.array(f, np.float64), boundary="symm", mode="same") + 0.0  # no zero has a sign
    results.append(y)
    assert y.shape == image.shape and (y == y.round()).all()
    fixture[name] = {
        "sha256": hashlib.sha256(y.astype("<f8").tobytes()).hexdigest(),
        "least": y.min(),
        "greatest": y.max(),
        "sum of magnitudes": np.abs(y).sum(),
        "rows": {str(r): y[r].astype(int).tolist() for r in (0, 255, 511)},
    }
fixture["both"] = {"mean magnitude": np.hypot(*results).mean()}
with open(os.path.join(here, "sobel.json"), "w") as out:
    out.write("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in fixture.items()) + "\n}\n")
