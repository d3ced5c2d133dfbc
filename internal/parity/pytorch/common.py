"""What the scripts of this folder share: numbers that need no file, and what is kept of results.

A tensor that comes from the counter has as element i of tensor p the number
((7919 i + 131 p) mod 1009) / 504.5 - 1, rounded to float32, so that both precisions compute from
the same numbers. Of a result with more than WHOLE elements its norm, its sum and as many elements
are kept, spread over the whole by places().
"""
import gzip
import json
import math
import pathlib

import torch

WHOLE = 1000
HERE = pathlib.Path(__file__).parent


def rounded(t):
    """The nearest float32 numbers, as float64."""
    return t.to(torch.float32).to(torch.float64)


def counter(p, shape, scale=1.0):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    v = ((7919 * i + 131 * p) % 1009).to(torch.float64) / 504.5 - 1
    return rounded(v * scale).reshape(shape)


def places(n):
    """WHOLE of n places: one in each of as many stretches, at a place that moves along."""
    starts = [k * n // WHOLE for k in range(WHOLE + 1)]
    return [s + 7919 * k % (e - s) for k, (s, e) in enumerate(zip(starts, starts[1:]))]


def kept(t, each=False):
    """A result as it is written: to 12 digits of the largest element, or of each."""
    v = t.detach().to(torch.float64).flatten()
    out = {"shape": list(t.shape)}
    if v.numel() > WHOLE:
        out["norm"], out["sum"] = v.norm().item(), v.sum().item()
        v = v[places(v.numel())]
    v = v.tolist()
    largest = max(map(abs, v), default=0)
    if not each and 0 < largest < math.inf:
        v = [round(x, 11 - math.floor(math.log10(largest))) for x in v]
    out["v"] = " ".join("%.12g" % x for x in v)
    return out


def write(name, lines):
    """JSON, one value a line, compressed; the same bytes each time."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    with open(HERE / name, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", filename="", mtime=0) as z:
        z.write(text.encode())
