#!/usr/bin/env python3
"""Writes conv_pool.json: results and gradients by PyTorch (1.13.1), in float64.

Inputs are not stored: element i of input p is counter(p, i) below, and dy is input 7. Each
case is an op of this project, its attributes as JSON of the Go struct, the shapes of the
inputs, the result, and the gradient of sum(dy*y) for each input.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def counter(p, shape, ties):
    n = int(torch.Size(shape).numel())
    if ties:  # few different numbers
        v = [float((7919 * i + 131 * p) % 1009 % 3) for i in range(n)]
    else:
        v = [((7919 * i + 131 * p) % 1009) / 504.5 - 1 for i in range(n)]
    return torch.tensor(v).reshape(shape)


def numbers(t):
    return [float("%.12g" % v) for v in t.detach().flatten().tolist()]


cases = []


def case(name, op, attrs, shapes, f, ties=False):
    xs = [counter(p, s, ties).requires_grad_() for p, s in enumerate(shapes)]
    y = f(*xs)
    grads = torch.autograd.grad(y, xs, counter(7, y.shape, False))
    cases.append({
        "name": name, "op": op, "attrs": attrs, "shapes": shapes, "ties": ties,
        "y": {"shape": list(y.shape), "v": numbers(y)}, "grads": [numbers(g) for g in grads],
    })


def pad_of(pad):  # {{top,bottom},{left,right}} in the order of F.pad
    return [n for side in reversed(pad) for n in side]


def conv2d(name, x, w, stride=(1, 1), dilation=(1, 1), pad=((0, 0), (0, 0)), groups=1):
    case(name, "Conv2D", {"Stride": stride, "Dilation": dilation, "Pad": pad, "Groups": groups}, [x, w],
         lambda x, w: F.conv2d(F.pad(x, pad_of(pad)), w, stride=stride, dilation=dilation, groups=groups))


def same(n):
    return ((n, n), (n, n))


conv2d("plain", [2, 2, 5, 5], [3, 2, 3, 3])
conv2d("LeNetC1", [1, 1, 7, 7], [2, 1, 5, 5], pad=same(2))
conv2d("NonSquare", [2, 4, 7, 10], [6, 2, 2, 3], stride=(2, 3), dilation=(3, 2), pad=((1, 2), (3, 0)), groups=2)
conv2d("depthwise", [1, 3, 5, 6], [6, 1, 3, 3], pad=same(1), groups=3)
conv2d("stride beyond kernel", [1, 2, 9, 8], [2, 2, 2, 1], stride=(4, 3))
conv2d("padding beyond kernel", [1, 1, 2, 3], [2, 1, 2, 2], pad=((4, 3), (0, 5)), stride=(3, 2))
conv2d("pointwise", [2, 3, 2, 3], [4, 3, 1, 1])
conv2d("filter as large as the image", [2, 2, 3, 4], [3, 2, 3, 4])
conv2d("rows left over", [1, 1, 6, 6], [1, 1, 3, 3], stride=(2, 4))

for name, kw in {
    "plain": {},
    "TransposedStrideDilation": {"stride": (3, 2), "dilation": (2, 3)},
    "groups, padding and extra": {"stride": (2, 3), "dilation": (1, 2), "padding": (1, 2), "output_padding": (1, 2), "groups": 2},
}.items():
    kw = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0), "output_padding": (0, 0), "groups": 1, **kw}
    case(name, "ConvTranspose2D",
         {"Op": {"Stride": kw["stride"], "Dilation": kw["dilation"], "Groups": kw["groups"],
                 "Pad": [[n, n] for n in kw["padding"]]}, "Extra": kw["output_padding"]},
         [[2, 4, 3, 4], [4, 3, 2, 3]], lambda x, w: F.conv_transpose2d(x, w, **kw))

case("plain", "Conv1D", {}, [[2, 2, 6], [3, 2, 3]], F.conv1d)
case("attributes", "Conv1D", {"Stride": 2, "Dilation": 3, "Pad": [2, 1], "Groups": 2}, [[2, 4, 9], [4, 2, 3]],
     lambda x, w: F.conv1d(F.pad(x, (2, 1)), w, stride=2, dilation=3, groups=2))


def max2d(name, x, kernel, stride, pad=(0, 0), dilation=(1, 1), ceil=False, ties=False):
    case(name, "MaxPool2D", {"Kernel": kernel, "Stride": stride, "Dilation": dilation, "Pad": [[n, n] for n in pad], "Ceil": ceil}, [x],
         lambda x: F.max_pool2d(x, kernel, stride, pad, dilation, ceil), ties)


max2d("plain", [2, 2, 4, 6], (2, 2), (2, 2))
max2d("OverlappingMaxPool", [1, 2, 7, 7], (3, 3), (2, 2))
max2d("MaxTies", [2, 1, 6, 6], (3, 3), (2, 2), ties=True)
max2d("NonSquare", [1, 2, 7, 9], (3, 2), (2, 3), pad=(1, 0), dilation=(2, 3))
max2d("ceil", [1, 1, 6, 5], (3, 2), (2, 2), ceil=True)
max2d("ceil whose last window would start in the padding", [1, 1, 3, 4], (2, 2), (2, 3), pad=(1, 1), ceil=True)
max2d("ceil over an image smaller than the window", [1, 1, 2, 3], (3, 4), (2, 2), ceil=True)
max2d("stride beyond kernel", [1, 1, 9, 9], (2, 1), (4, 3))
max2d("padded ties", [1, 1, 5, 5], (3, 3), (1, 1), pad=(1, 1), ties=True)
case("plain", "MaxPool1D", {"Kernel": 3, "Stride": 2, "Pad": [1, 1], "Dilation": 2, "Ceil": True}, [[2, 2, 8]],
     lambda x: F.max_pool1d(x, 3, 2, 1, 2, True))
case("global", "GlobalMaxPool2D", {}, [[2, 3, 3, 4]], lambda x: F.adaptive_max_pool2d(x, 1))


def avg2d(name, x, kernel, stride, pad=(0, 0), ceil=False, count=False):
    case(name, "AvgPool2D", {"Kernel": kernel, "Stride": stride, "Pad": [[n, n] for n in pad], "Ceil": ceil, "CountPad": count}, [x],
         lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil, count))


avg2d("plain", [2, 2, 4, 6], (2, 3), (2, 3))
for count in (False, True):
    avg2d(f"overlapping, count padding {count}", [1, 2, 5, 7], (3, 3), (2, 2), pad=(1, 1), count=count)
    avg2d(f"NonSquare, ceil, count padding {count}", [1, 2, 6, 8], (3, 4), (2, 3), pad=(1, 2), ceil=True, count=count)
case("plain", "AvgPool1D", {"Kernel": 3, "Stride": 2, "Pad": [1, 1], "Ceil": True, "CountPad": True}, [[2, 2, 6]],
     lambda x: F.avg_pool1d(x, 3, 2, 1, True, True))
case("global", "GlobalAvgPool2D", {}, [[2, 3, 3, 4]], lambda x: F.adaptive_avg_pool2d(x, 1))

for name, x, w, kw in [
    ("plain", [1, 2, 3, 3, 4], [2, 2, 2, 2, 2], {}),
    ("attributes", [2, 4, 5, 3, 4], [4, 2, 2, 2, 2], {"stride": (2, 1, 2), "dilation": (3, 2, 1), "padding": (1, 0, 1), "groups": 2}),
]:
    kw = {"stride": (1, 1, 1), "dilation": (1, 1, 1), "padding": (0, 0, 0), "groups": 1, **kw}
    case(name, "Conv3D", {"Stride": kw["stride"], "Dilation": kw["dilation"], "Pad": [[n, n] for n in kw["padding"]], "Groups": kw["groups"]},
         [x, w], lambda x, w: F.conv3d(x, w, **kw))
for name, kw in {
    "plain": {},
    "groups, padding and extra": {"stride": (2, 1, 3), "dilation": (1, 2, 1), "padding": (1, 1, 0), "output_padding": (1, 0, 2), "groups": 2},
    "planes beyond the last filter": {"stride": (3, 1, 1), "output_padding": (2, 0, 0)},
}.items():
    kw = {"stride": (1, 1, 1), "dilation": (1, 1, 1), "padding": (0, 0, 0), "output_padding": (0, 0, 0), "groups": 1, **kw}
    case(name, "ConvTranspose3D",
         {"Op": {"Stride": kw["stride"], "Dilation": kw["dilation"], "Groups": kw["groups"], "Pad": [[n, n] for n in kw["padding"]]},
          "Extra": kw["output_padding"]},
         [[1, 2, 2, 2, 3], [2, 1, 2, 2, 2]], lambda x, w: F.conv_transpose3d(x, w, **kw))
case("plain", "ConvTranspose1D", {"Op": {}, "Extra": 0}, [[2, 2, 4], [2, 3, 3]], F.conv_transpose1d)
case("attributes", "ConvTranspose1D", {"Op": {"Stride": 3, "Dilation": 2, "Pad": [1, 1], "Groups": 2}, "Extra": 2}, [[2, 4, 4], [4, 1, 3]],
     lambda x, w: F.conv_transpose1d(x, w, stride=3, dilation=2, padding=1, output_padding=2, groups=2))

volume = {"Kernel": (2, 3, 2), "Stride": (1, 2, 2), "Pad": [[1, 1], [1, 1], [0, 0]], "Ceil": True}
for ties in (False, True):
    case("attributes", "MaxPool3D", {**volume, "Dilation": (2, 1, 1)}, [[1, 2, 4, 5, 5]],
         lambda x: F.max_pool3d(x, (2, 3, 2), (1, 2, 2), (1, 1, 0), (2, 1, 1), True), ties)
for count in (False, True):
    case("attributes", "AvgPool3D", {**volume, "CountPad": count}, [[1, 2, 3, 5, 5]],
         lambda x: F.avg_pool3d(x, (2, 3, 2), (1, 2, 2), (1, 1, 0), True, count))
case("global", "GlobalMaxPool1D", {}, [[2, 2, 5]], lambda x: F.adaptive_max_pool1d(x, 1))
case("global", "GlobalAvgPool1D", {}, [[2, 2, 5]], lambda x: F.adaptive_avg_pool1d(x, 1))
case("global", "GlobalMaxPool3D", {}, [[1, 2, 2, 3, 2]], lambda x: F.adaptive_max_pool3d(x, 1))
case("global", "GlobalAvgPool3D", {}, [[1, 2, 2, 3, 2]], lambda x: F.adaptive_avg_pool3d(x, 1))
for d, size in ((1, [3]), (2, [3, 5]), (3, [2, 3, 2])):
    attr = size[0] if d == 1 else size
    for ties in (False, True):
        case("adaptive", f"AdaptiveMaxPool{d}D", {"Size": attr}, [[1, 2] + [5, 7, 4][:d]], lambda x: getattr(F, f"adaptive_max_pool{d}d")(x, attr), ties)
    case("adaptive", f"AdaptiveAvgPool{d}D", {"Size": attr}, [[1, 2] + [5, 7, 4][:d]], lambda x: getattr(F, f"adaptive_avg_pool{d}d")(x, attr))
for p in (1, 2, 3):
    case(f"p {p}", "LpPool2D", {"P": p, "Op": {"Kernel": (3, 2), "Stride": (2, 1)}}, [[1, 2, 5, 4]],
         lambda x: F.lp_pool2d(x.abs(), p, (3, 2), (2, 1)))
case("p 2.5", "LpPool1D", {"P": 2.5, "Op": {"Kernel": 3, "Stride": 2}}, [[2, 2, 7]], lambda x: F.lp_pool1d(x.abs(), 2.5, 3, 2))

for size in ([3, 7], [5, 2], [8, 10]):
    case("size", "ResizeNearest", {"Size": size}, [[1, 2, 4, 5]], lambda x: F.interpolate(x, size, mode="nearest"))
    case("size", "ResizeBilinear", {"Size": size}, [[1, 2, 4, 5]], lambda x: F.interpolate(x, size, mode="bilinear", align_corners=False))

for ta in (False, True):
    for tb in (False, True):
        for batch, a, b in (("none", [], []), ("both", [2, 3], [2, 3]), ("a", [3], []), ("b", [], [3])):
            case(f"batch {batch}", "MatMul", {"TransA": ta, "TransB": tb},
                 [a + ([4, 2] if ta else [2, 4]), b + ([3, 4] if tb else [4, 3])],
                 lambda a, b: torch.matmul(a.transpose(-1, -2) if ta else a, b.transpose(-1, -2) if tb else b))

lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
pathlib.Path(__file__).with_name("conv_pool.json").write_text("[\n" + lines + "\n]\n")
