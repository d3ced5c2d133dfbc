#!/usr/bin/env python3
"""Writes ops.json.gz: results and gradients of every op, by PyTorch (2.15.0) in float64.

A case is a function of package ops, its attributes as JSON of their Go structs, its inputs by kind
and shape, the result, and the gradient of sum(dy*y) for each floating-point input; dy is tensor 7
of the counter, input i is tensor i. Where the result is not floating point there are no gradients.
"each" says that elements are compared one by one, since they differ in size. What a function is in
PyTorch stands in functions.py.
"""
import math
from itertools import product

import torch

from common import counter, kept, rounded, write
from functions import FUNCTIONS

torch.set_default_dtype(torch.float64)

EDGES = [0.0, -0.0, 1, -1, 2.5, -2.5, 0.5, -0.5, 30, -30, 800, -800, math.inf, -math.inf, math.nan]
KINKS = [-3.0, 3, 0, -1, 1, -2, 2, 4, -4]

KINDS = {
    "plain": lambda c, i: c,
    "positive": lambda c, i: rounded(c.abs() + 0.25),
    "wide": lambda c, i: rounded(20 * c),
    "large": lambda c, i: rounded(1e4 * c),
    "chance": lambda c, i: c.abs(),
    "ties": lambda c, i: i % 3,  # 0, 1 and 2
    "sides": lambda c, i: 1 - 2 * (torch.arange(i.numel()).reshape(i.shape) % 2),
    "edges": lambda c, i: torch.tensor(EDGES[:c.numel()]),
    "kinks": lambda c, i: torch.tensor(KINKS[:c.numel()]),
    "ids": lambda c, i: i % 3,
    "mask": lambda c, i: i % 3 == 0,
    "most": lambda c, i: i % 3 != 0,
}


def made(kind, p, shape):
    n = torch.Size(shape).numel()
    i = ((7919 * torch.arange(n) + 131 * p) % 1009).reshape(shape)
    v = KINDS[kind](counter(p, shape), i).reshape(shape)
    if kind in ("ids", "mask", "most"):
        return v
    return v.to(torch.float64).requires_grad_()


cases = []


def case(op, *inputs, label="", each=False, states=(), differentiable=True, **attrs):
    """Inputs are shapes, or (kind, shape); states are shapes of leaves that have no gradient."""
    inputs = [x if isinstance(x, tuple) else ("plain", x) for x in (*inputs, *states)]
    xs = [made(kind, p, shape) for p, (kind, shape) in enumerate(inputs)]
    y = FUNCTIONS[op](*xs, **attrs)
    out = {"op": op, "label": label, "attrs": attrs, "in": [{"kind": k, "shape": s} for k, s in inputs], "states": len(states), "each": each, "y": kept(y, each)}
    floats = [x for x in xs[:len(xs) - len(states)] if x.is_floating_point()]
    if y.is_floating_point() and differentiable:
        grads = [None] * len(floats)
        if y.requires_grad:
            grads = torch.autograd.grad(y, floats, counter(7, y.shape), allow_unused=True)
        out["grads"] = [kept(torch.zeros_like(x) if g is None else g, each) for x, g in zip(floats, grads)]
    cases.append(out)


# ---- elementwise

UNARY = (
    "Neg", "Abs", "Sign", "Exp", "Log", "Log1p", "Expm1", "Sqrt", "Sin", "Cos", "Tanh", "Sigmoid", "Erf", "Floor", "ReLU", "Softplus", "Square",
    "Ceil", "Round", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "IsNaN", "IsInf",
    "Reciprocal", "StopGradient", "ZerosLike", "OnesLike",
)
for op in UNARY:
    case(op, [2, 3])
    case(op, ("wide", [41]), each=True)
    case(op, ("kinks", [9]), each=True)
    case(op, ("edges", [len(EDGES)]), each=True)
for op in ("Exp", "Log", "Tanh", "Sigmoid", "ReLU", "Erf", "Sin", "Softplus"):
    case(op, ("positive", [2, 1021]), label="large")

ACTIVATIONS = [
    ("GELU", {}), ("ELU", {"Alpha": 1.0}), ("ELU", {"Alpha": 0.7}), ("SELU", {}), ("GELUTanh", {}), ("SiLU", {}), ("Mish", {}), ("Softsign", {}),
    ("HardSigmoid", {}), ("HardSwish", {}), ("ReLU6", {}), ("LeakyReLU", {"Alpha": 0.1}), ("LeakyReLU", {"Alpha": 1.5}),
    ("Clip", {"Lo": -0.5, "Hi": 0.5}), ("Clip", {"Lo": -3, "Hi": 1}), ("AddScalar", {"V": -0.75}), ("MulScalar", {"V": -1.5}), ("FullLike", {"V": 0.25}),
]
for op, attrs in ACTIVATIONS:
    case(op, [2, 3], **attrs)
    case(op, ("wide", [41]), each=True, **attrs)
    case(op, ("kinks", [9]), each=True, **attrs)
    case(op, ("edges", [12]), each=True, **attrs)  # the finite ones
for alphas in ([1], [3], []):
    case("PReLU", [2, 3, 2], alphas)
case("PReLU", ("edges", [12]), [1], each=True)

BROADCASTS = [([2, 3], [3]), ([3, 1], [1, 3]), ([], [2, 2]), ([2, 3, 2, 2], [3, 1, 1]), ([2, 1, 3], [4, 1])]
for op in ("Add", "Sub", "Mul", "Div", "Pow", "Maximum", "Minimum"):
    case(op, ("positive", [2, 3]), [2, 3])
    for a, b in BROADCASTS:
        case(op, ("positive", a), b)
    case(op, ("ties", [3, 1]), ("ties", [1, 3]), label="ties", each=True)
    case(op, ("edges", [len(EDGES), 1]), ("edges", [8]), label="edges", each=True)
    case(op, ("positive", [3, 5, 67]), ("positive", [5, 1]), label="large")

for op in ("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"):
    case(op, ("ties", [2, 3]), ("ties", [3]))
    case(op, ("edges", [len(EDGES), 1]), ("edges", [len(EDGES)]))
    case(op, ("ids", [3, 1]), ("ids", [4]), label="integers")
for op in ("Fmod", "Mod"):
    case(op, ("wide", [2, 3]), ("positive", [2, 3]))
    for a, b in BROADCASTS:
        case(op, ("wide", a), ("wide", b))
    case(op, ("edges", [len(EDGES), 1]), ("edges", [len(EDGES)]), label="edges", each=True)
for op in ("BitAnd", "BitOr", "BitXor", "ShiftLeft", "ShiftRight"):
    case(op, ("ids", [3, 5]), ("ids", [5]))
case("BitNot", ("ids", [7]))
for op in ("And", "Or", "Xor"):
    case(op, ("mask", [2, 3]), ("mask", [3]))
case("Not", ("mask", [2, 3]))
for a, b in [([2, 3], [2, 3]), ([3], [2, 1]), ([], [2, 3])]:
    case("Where", ("mask", [2, 3]), a, b)
case("Where", ("mask", [15]), ("edges", [15]), [15], each=True)
for to in ("int32", "int64", "bool"):
    case("Cast", ("kinks", [9]), To=to)
    case("Cast", ("wide", [12]), To=to)
for to in ("bfloat16", "float16"):
    for kind, n in (("plain", 41), ("wide", 41), ("large", 41), ("edges", len(EDGES))):
        case("Cast", (kind, [n]), each=True, To=to)
        case("Cast", (kind, [n]), label="there and back", each=True, Via=[to], To="float32")
    case("Cast", ("large", [41]), label="from integers", each=True, Via=["int32"], To=to)
case("Cast", ("wide", [41]), To="int8")
case("Cast", ("wide", [41]), label="of storage", each=True, Via=["bfloat16", "float16"], To="float32")
case("Cast", ("wide", [41]), label="of storage", each=True, Via=["float16", "bfloat16"], To="float32")
case("Cast", ("wide", [41]), label="of storage", each=True, Via=["int8", "bfloat16"], To="float32")
case("Cast", ("wide", [41]), label="of storage", each=True, Via=["float16"], To="int8")
case("Cast", ("large", [41]), label="wraps around", each=True, Via=["int64"], To="int8")

# ---- reductions

SUBSETS = [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]
for op in ("Sum", "SumKeep", "Mean", "MeanKeep", "Max", "MaxKeep", "Min", "MinKeep", "Variance"):
    for axes in SUBSETS:
        case(op, [2, 3, 2], Axes=axes)
        if op in ("Max", "MaxKeep", "Min", "MinKeep"):
            case(op, ("ties", [2, 3, 2]), label="ties", Axes=axes)
    if not op.endswith("Keep"):
        for axes in ([0], [2], [0, 2]):
            case(op, [17, 11, 23], label="large", Axes=axes)
for axes in SUBSETS:
    case("Prod", [2, 3, 2], Axes=axes)
    case("Prod", ("ties", [2, 3, 2]), label="zeros", Axes=axes)
for axes in SUBSETS:
    case("Count", [2, 3, 2], Axes=axes)
for to in ([2, 3], [4, 2, 3], [2, 2, 3]):
    case("BroadcastTo", [2, 3] if to != [2, 2, 3] else [2, 1, 3], Shape=to)
for to in ([3], [2, 1], [1, 1], [], [2, 3]):
    case("SumTo", [2, 3], Shape=to)

for op in ("Softmax", "LogSoftmax"):
    for axis in range(3):
        case(op, [2, 3, 2], Axis=axis)
        # a gradient of what is almost 0 or 1 is a small difference: compared with 1
        case(op, ("wide", [3, 2, 4]), label="wide", each=True, Axis=axis)
    case(op, ("large", [2, 3]), label="LargeLogits", Axis=1)
    case(op, ("wide", [5, 601]), label="large", Axis=1)
    case(op, [2, 21, 47], label="large", Axis=1)
for axis in range(3):
    case("CumSum", [2, 4, 3], Axis=axis)
    case("CumProd", [2, 4, 3], Axis=axis)
    case("CumProd", ("ties", [2, 4, 3]), label="zeros", Axis=axis)
    case("LinearScan", [2, 4, 3], [2, 4, 3], Axis=axis)
    for reverse, exclusive in ((False, True), (True, False), (True, True)):
        case("CumSum", [2, 4, 3], Axis=axis, Reverse=reverse, Exclusive=exclusive)
        case("CumProd", [2, 4, 3], Axis=axis, Reverse=reverse, Exclusive=exclusive)
for op in ("L1Norm", "L2Norm", "LogSumExp"):
    for axes in SUBSETS:
        case(op, [2, 3, 2], Axes=axes)
    case(op, ("large", [3, 5]), label="large", Axes=[1])

# ---- losses

for each, smoothing in product((False, True), (0.0, 0.2)):
    options = {"LabelSmoothing": smoothing, "PerExample": each}
    case("CrossEntropy", [4, 3], ("ids", [4]), **options)
    case("CrossEntropy", ("large", [2, 3]), ("ids", [2]), label="LargeLogits", **options)
    case("CrossEntropy", [2, 3, 2, 1], ("ids", [2, 2, 1]), label="pixels", **options)
    case("CrossEntropy", [4, 3], ("chance", [4, 3]), label="distributions", **options)
    case("CrossEntropy", [2, 3, 2], ("chance", [2, 3, 2]), label="distributions of pixels", **options)
    case("CrossEntropy", [3], ("ids", []), label="one example", **options)
case("CrossEntropy", ("wide", [6, 400]), ("ids", [6]), label="large")
for each, smoothing, weights in product((False, True), (0.0, 0.2), (None, [0.5, 2, 0], [1, 3, 0.25])):
    options = {"LabelSmoothing": smoothing, "PerExample": each} | ({"Weights": weights} if weights else {})
    case("CrossEntropy", [4, 3], ("ids", [4]), label="ignored", Ignore=[1], **options)
    case("CrossEntropy", [2, 3, 2, 2], ("ids", [2, 2, 2]), label="pixels, two ignored", Ignore=[0, 2], **options)
    case("CrossEntropy", [2, 3], ("ids", [2]), label="all ignored", Ignore=[0, 1, 2], **options)
    if weights:
        case("CrossEntropy", [4, 3], ("ids", [4]), label="weights", **options)
        case("CrossEntropy", [2, 3, 2], ("chance", [2, 3, 2]), label="weights of distributions", **options)
for alpha, gamma, each in product((0.0, 0.6, -1.0), (0.0, 1.0, 0.5, 3.0), (False, True)):
    options = {"Alpha": alpha, "Gamma": gamma, "PerElement": each}
    case("FocalLoss", [2, 3], ("chance", [2, 3]), **options)
    case("FocalLoss", ("wide", [4, 3]), ("ids", [4]), label="ids", **options)
for smooth, squared in product((0.0, 0.5), (False, True)):
    options = {"Smooth": smooth, "Squared": squared}
    case("DiceLoss", ("chance", [2, 3, 4]), ("chance", [2, 3, 4]), **options)
    case("DiceLoss", ("chance", [2, 3, 2, 2]), ("ids", [2, 2, 2]), label="ids", **options)
case("WeightedBinaryCrossEntropy", [2, 3], ("chance", [2, 3]), Positive=[3.5])
case("WeightedBinaryCrossEntropy", [2, 3], ("chance", [2, 3]), Positive=[3.5, 0, 1])
case("WeightedBinaryCrossEntropy", ("large", [2, 3, 2]), ("chance", [2, 3, 2]), label="pixels", Positive=[0.5, 2, 1])
case("BinaryCrossEntropy", [2, 3], ("chance", [2, 3]))
case("BinaryCrossEntropy", ("large", [4]), ("chance", [4]), label="LargeLogits")
case("BinaryCrossEntropy", ("kinks", [9]), ("chance", [9]))
case("MSE", [2, 3], ("positive", [2, 3]))
case("NLL", [4, 3], ("ids", [4]))
case("NLL", [2, 3, 2, 1], ("ids", [2, 2, 1]), label="pixels")
case("KLDivergence", [3, 4], ("positive", [3, 4]))
case("KLDivergence", [2, 3, 2], ("positive", [2, 3, 2]))
for delta in (1.0, 0.5):
    case("Huber", [3, 4], ("positive", [3, 4]), Delta=delta)
case("Huber", ("large", [4]), ("positive", [4]), Delta=1.0)
case("Huber", ("kinks", [9]), ("ties", [9]), label="kinks", Delta=1.0)
case("Hinge", [3, 4], ("sides", [3, 4]))
case("Hinge", ("kinks", [9]), ("sides", [9]), label="kinks")

# ---- normalisation

for size, alpha, beta, k in ((5, 1e-4, 0.75, 1.0), (4, 2.0, 0.5, 2.0), (1, 1.0, 1.25, 1.0), (9, 0.5, 0.75, 0.5), (3, 4.0, 0.75, 1.0)):
    for x in ([2, 7, 3], [1, 6, 2, 3], [3, 4]):
        case("LRN", x, Size=size, Alpha=alpha, Beta=beta, K=k)
case("LRN", [2, 20, 5, 7], label="large", Size=5, Alpha=1.0)

for size, alpha, beta, k in ((3, 1e-4, 0.75, 1.0), (5, 2.0, 0.5, 2.0), (1, 1.0, 1.25, 1.0)):
    case("LRNWithinChannel", [2, 3, 4, 6], Size=size, Alpha=alpha, Beta=beta, K=k)

for eps in (1e-5, 1e-2):
    for x, axes in (([3, 4], [4]), ([2, 2, 3], [2, 3]), ([2, 2, 3], [3]), ([2, 3, 2, 2], [3, 2, 2])):
        case("LayerNorm", x, axes, axes, Eps=eps)
    for x, groups in product(([2, 4, 3], [2, 4, 2, 3], [3, 12]), (1, 2, 4)):
        case("GroupNorm", x, [x[1]], [x[1]], Groups=groups, Eps=eps)
    for x in ([2, 3, 2, 2], [2, 3, 5]):
        case("InstanceNorm", x, [3], [3], Eps=eps)
case("LayerNorm", [9, 150], [150], [150], label="large")

for x, eps, momentum in (([6, 3], 1e-5, 0.1), ([4, 2, 3], 1e-5, 0.1), ([3, 2, 2, 3], 1e-3, 0.25), ([2, 3, 1, 2, 2], 1e-5, 1.0), ([1, 2, 3, 1], 1e-5, 0.1)):
    for part in ("training", "mean", "variance", "inference"):
        c = [x[1]]
        case("BatchNorm", x, c, c, states=[c, ("positive", c)], differentiable=part in ("training", "inference"), label=part,
             Part=part, Eps=eps, Momentum=momentum)
case("BatchNorm", [8, 5, 7, 6], [5], [5], states=[[5], ("positive", [5])], label="large", Part="training")

# ---- products

for ta, tb in product((False, True), repeat=2):
    for batch, a, b in (("no batch", [], []), ("batch", [2, 3], [2, 3]), ("batch of a", [3], []), ("batch of b", [], [3])):
        case("MatMul", a + ([4, 2] if ta else [2, 4]), b + ([3, 4] if tb else [4, 3]), label=batch, TransA=ta, TransB=tb)
    case("MatMul", [131, 7] if ta else [7, 131], [61, 131] if tb else [131, 61], label="large", TransA=ta, TransB=tb)
    if ta == tb:
        case("MatMul", [3, 29, 10] if ta else [3, 10, 29], [3, 17, 29] if tb else [3, 29, 17], label="large, batch", TransA=ta, TransB=tb)
case("MatMul", [1, 301], [301, 33], label="row")
for x in ([2, 3], [2, 3, 2], [2, 3, 2, 2]):
    case("AddBias", x, [3])

for spec, *shapes in (
    ("ij,jk->ik", [2, 3], [3, 4]), ("ij,jk", [2, 3], [3, 4]), ("ij->ji", [2, 3]), ("ba", [2, 3]), ("ij->", [2, 3]), ("ii", [3, 3]), ("ii->i", [3, 3]),
    ("iji->j", [3, 2, 3]), ("iii->i", [3, 3, 3]), ("i,i->", [4], [4]), ("i,j->ji", [2], [3]), ("i,i->i", [4], [4]), ("bij,bjk->bik", [2, 3, 4], [2, 4, 2]),
    ("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]), ("ij,kj,lk->il", [2, 3], [4, 3], [2, 4]), ("bn,anm,bm->ba", [2, 3], [4, 3, 2], [2, 2]),
    ("ik,jk->k", [2, 3], [4, 3]), ("aab,bc->ca", [2, 2, 3], [3, 2]), (",i->i", [], [3]), ("ij,ij", [2, 3], [2, 3]), ("i,i,i->", [3], [3], [3]),
    ("cij,oij->co", [2, 3, 2], [4, 3, 2]),
):
    case("Einsum", *shapes, Subscripts=spec)

QKV = [[2, 2, 4, 3], [2, 2, 5, 3], [2, 2, 5, 2]]
case("Attention", *QKV)
case("Attention", *QKV, Scale=2)
case("Attention", *QKV, Causal=True)
case("Attention", *QKV, ("most", [4, 5]), label="mask")
case("Attention", *QKV, ("most", [2, 1, 4, 5]), label="mask", Causal=True)
case("Attention", *QKV, Keys=3)
case("Attention", *QKV, ("most", [2, 4, 5]), label="mask", Causal=True, Keys=4)
case("Attention", *QKV, Causal=True, Keys=2)
case("Attention", ("large", [4, 3]), ("large", [5, 3]), [5, 2], label="LargeLogits")
case("Attention", [2, 3, 20, 8], [2, 3, 24, 8], [2, 3, 24, 5], label="large")


def gates(n):
    """Weights and biases of a recurrent layer of n gates, 3 numbers in and 2 units."""
    return [[n * 2, 3], [n * 2, 2], [n * 2], [n * 2]]


for part in ("hidden", "cell"):
    case("LSTMCell", [4, 3], [4, 2], [4, 2], *gates(4), Part=part)
for part in ("all", "hidden", "cell"):
    case("LSTM", [2, 5, 3], [2, 2], [2, 2], *gates(4), Part=part)
case("GRUCell", [4, 3], [4, 2], *gates(3))
for part in ("all", "hidden"):
    case("GRU", [2, 5, 3], [2, 2], *gates(3), Part=part)

for name, n, states in (("RNN", 1, 1), ("LSTM", 4, 2), ("GRU", 3, 1)):
    x = [[3, 4, 3]] + [[3, 2]] * states + gates(n)
    options = [{}, {"Reverse": True}, {"Clip": 0.5}, {"ReLU": True}] + ([{"ResetBefore": True}, {"ResetBefore": True, "Reverse": True, "Clip": 0.3}] if n == 3 else [])
    for part, o, lengths in product(("all", "hidden", "cell")[:states + 1], options, (False, True)):
        case(name, *x, *([("ids", [3])] if lengths else []), Part=part, Lengths=lengths, **o)
    if n == 4:
        case(name, *x, [6], ("ids", [3]), label="peepholes", Part="all", Peepholes=True, Lengths=True, Reverse=True)
        case(name, *x, [6], label="peepholes", Part="cell", Peepholes=True, Clip=0.5)

# ---- convolution


def flat(d, value):
    """An attribute of d axes as package ops has it: no list for one axis."""
    return value[0] if d == 1 else value


def conv(d, x, w, label="", stride=None, dilation=None, pad=None, groups=1):
    ones = [1] * d
    stride, dilation, pad = stride or ones, dilation or ones, pad or [[0, 0]] * d
    case(f"Conv{d}D", x, w, label=label, Stride=flat(d, stride), Dilation=flat(d, dilation), Pad=flat(d, pad), Groups=groups)


for stride, dilation, pad, groups, kernel in product(
        ([1, 1], [2, 3]), ([1, 1], [2, 1]), ([[0, 0], [0, 0]], [[1, 1], [1, 1]], [[1, 2], [3, 0]]), (1, 2, 4), ([3, 3], [2, 3])):
    conv(2, [1, 4, 5, 5], [4, 4 // groups] + kernel, "", stride, dilation, pad, groups)
conv(2, [1, 1, 7, 7], [2, 1, 5, 5], "LeNetC1", pad=[[2, 2], [2, 2]])
conv(2, [2, 4, 7, 10], [6, 2, 2, 3], "NonSquare", [2, 3], [3, 2], [[1, 2], [3, 0]], 2)
conv(2, [1, 3, 5, 6], [6, 1, 3, 3], "depthwise, two filters a channel", pad=[[1, 1], [1, 1]], groups=3)
conv(2, [1, 2, 9, 8], [2, 2, 2, 1], "stride beyond kernel", [4, 3])
conv(2, [1, 1, 2, 3], [2, 1, 2, 2], "padding beyond kernel", [3, 2], pad=[[4, 3], [0, 5]])
conv(2, [2, 3, 2, 3], [4, 3, 1, 1], "pointwise")
conv(2, [2, 2, 3, 4], [3, 2, 3, 4], "filter as large as the image")
conv(2, [1, 1, 6, 6], [1, 1, 3, 3], "rows left over", [2, 4])
one = [[1, 1], [1, 1]]
conv(2, [2, 32, 14, 14], [48, 32, 3, 3], "large 3x3", pad=one)
conv(2, [1, 16, 13, 11], [24, 16, 3, 3], "large 3x3, a pad on each side", pad=[[2, 0], [1, 1]])
conv(2, [1, 64, 9, 30], [32, 32, 3, 3], "large 3x3, groups", groups=2, pad=one)
conv(2, [1, 64, 12, 12], [64, 1, 3, 3], "large depthwise", groups=64, pad=one)
conv(2, [2, 24, 15, 15], [16, 24, 5, 5], "large 5x5, stride 2", [2, 2], pad=[[2, 2], [2, 2]])
conv(2, [1, 3, 67, 67], [16, 3, 11, 11], "AlexNet's first", [4, 4], pad=[[2, 2], [2, 2]])
conv(2, [1, 48, 10, 9], [40, 48, 1, 1], "large pointwise")
conv(2, [32, 6, 14, 14], [16, 6, 5, 5], "LeNet's second, a batch of 32")
for stride, dilation, pad, groups in product(([1], [2]), ([1], [3]), ([[0, 0]], [[2, 1]]), (1, 2, 4)):
    conv(1, [2, 4, 9], [4, 4 // groups, 3], "", stride, dilation, pad, groups)
conv(1, [3, 16, 200], [24, 16, 5], "large", pad=[[2, 2]])
for stride, dilation, pad, groups in product(([1, 1, 1], [2, 1, 2]), ([1, 1, 1], [2, 1, 1]), ([[0, 0]] * 3, [[1, 0], [0, 1], [1, 1]]), (1, 2)):
    conv(3, [1, 2, 3, 3, 4], [2, 2 // groups, 2, 2, 2], "", stride, dilation, pad, groups)
conv(3, [2, 8, 5, 8, 8], [12, 8, 3, 3, 3], "large", pad=[[1, 1]] * 3)


def transposed(d, x, w, label="", stride=None, dilation=None, padding=None, extra=None, groups=1):
    stride, dilation, padding, extra = stride or [1] * d, dilation or [1] * d, padding or [0] * d, extra or [0] * d
    case(f"ConvTranspose{d}D", x, w, label=label, Extra=flat(d, extra),
         Op={"Stride": flat(d, stride), "Dilation": flat(d, dilation), "Groups": groups, "Pad": flat(d, [[n, n] for n in padding])})


for stride, dilation, padding, groups in product(([1, 1], [2, 3]), ([1, 1], [1, 2]), ([0, 0], [1, 2]), (1, 2)):
    for extra in ([0, 0], [1, 2]) if stride == [2, 3] else ([0, 0],):
        transposed(2, [1, 4, 3, 4], [4, 2, 2, 3], "", stride, dilation, padding, extra, groups)
transposed(2, [2, 4, 3, 4], [4, 3, 2, 3], "TransposedStrideDilation", [3, 2], [2, 3])
transposed(2, [1, 24, 9, 9], [24, 16, 3, 3], "large", [2, 2], padding=[1, 1], extra=[1, 1])
for stride, dilation, padding, groups in product(([1], [3]), ([1], [2]), ([0], [1]), (1, 2)):
    for extra in ([0], [2]) if stride == [3] else ([0],):
        transposed(1, [2, 4, 4], [4, 2, 3], "", stride, dilation, padding, extra, groups)
for stride, dilation, padding, groups in product(([1, 1, 1], [2, 1, 3]), ([1, 1, 1], [1, 2, 1]), ([0, 0, 0], [1, 1, 0]), (1, 2)):
    for extra in ([0, 0, 0], [1, 0, 2]) if stride == [2, 1, 3] else ([0, 0, 0],):
        transposed(3, [1, 2, 2, 2, 3], [2, 1, 2, 2, 2], "", stride, dilation, padding, extra, groups)
transposed(3, [1, 2, 2, 2, 3], [2, 1, 2, 2, 2], "planes beyond the last filter", [3, 1, 1], extra=[2, 0, 0])

# ---- pooling


def max_pool(d, x, kernel, stride, pad=None, dilation=None, ceil=False, label="", kind="plain"):
    pad, dilation = [[n, n] for n in pad or [0] * d], dilation or [1] * d
    case(f"MaxPool{d}D", (kind, x), label=label,
         Kernel=flat(d, kernel), Stride=flat(d, stride), Pad=flat(d, pad), Ceil=ceil, Dilation=flat(d, dilation))


def avg_pool(d, x, kernel, stride, pad=None, ceil=False, count=False, label=""):
    pad = [[n, n] for n in pad or [0] * d]
    case(f"AvgPool{d}D", x, label=label,
         Kernel=flat(d, kernel), Stride=flat(d, stride), Pad=flat(d, pad), Ceil=ceil, Dilation=flat(d, [1] * d), CountPad=count)


for kernel, stride, pad, ceil in product(([2, 2], [3, 2], [3, 3]), ([1, 1], [2, 2], [2, 3]), ([0, 0], [1, 1]), (False, True)):
    for dilation, kind in product(([1, 1], [2, 1]), ("plain", "ties")):
        max_pool(2, [1, 2, 6, 5], kernel, stride, pad, dilation, ceil, kind, kind)
    for count in (False, True):
        avg_pool(2, [1, 2, 6, 5], kernel, stride, pad, ceil, count)
max_pool(2, [1, 2, 7, 7], [3, 3], [2, 2], label="OverlappingMaxPool")
max_pool(2, [2, 1, 6, 6], [3, 3], [2, 2], label="MaxTies", kind="ties")
max_pool(2, [1, 2, 7, 9], [3, 2], [2, 3], [1, 0], [2, 3], label="NonSquare")
max_pool(2, [1, 1, 3, 4], [2, 2], [2, 3], [1, 1], ceil=True, label="ceil whose last window would start in the padding")
max_pool(2, [1, 1, 2, 3], [3, 4], [2, 2], ceil=True, label="ceil over an image smaller than the window")
max_pool(2, [1, 1, 9, 9], [2, 1], [4, 3], label="stride beyond kernel")
max_pool(2, [2, 8, 17, 19], [2, 2], [2, 2], label="large")
max_pool(2, [2, 8, 17, 19], [3, 3], [2, 2], label="large, overlapping")
case("MaxPool2D", [1, 2, 6, 5], label="a pad on each side", Kernel=[3, 3], Stride=[2, 2], Pad=[[0, 1], [2, 0]])
for count in (False, True):
    avg_pool(2, [1, 2, 6, 8], [3, 4], [2, 3], [1, 2], True, count, label="NonSquare")
    avg_pool(2, [2, 8, 17, 19], [3, 3], [2, 2], [1, 1], False, count, label="large")
for dilation, pad, count in product(([1, 1], [2, 3]), ([[0, 1], [2, 0]], [[2, 1], [0, 3]]), (False, True)):
    case("AvgPool2D", [1, 2, 6, 5], label="a pad on each side", Kernel=[2, 2], Stride=[2, 1], Dilation=dilation, Pad=pad, CountPad=count)

for kernel, stride, pad, ceil in product(([2], [3]), ([1], [2]), ([0], [1]), (False, True)):
    for dilation, kind in product(([1], [2]), ("plain", "ties")):
        max_pool(1, [2, 2, 8], kernel, stride, pad, dilation, ceil, kind, kind)
    for count in (False, True):
        avg_pool(1, [2, 2, 8], kernel, stride, pad, ceil, count)
for pad, ceil in product(([0, 0, 0], [1, 1, 0]), (False, True)):
    for dilation, kind in product(([1, 1, 1], [2, 1, 1]), ("plain", "ties")):
        max_pool(3, [1, 1, 4, 5, 5], [2, 3, 2], [1, 2, 2], pad, dilation, ceil, kind, kind)
    for count in (False, True):
        avg_pool(3, [1, 1, 3, 5, 5], [2, 3, 2], [1, 2, 2], pad, ceil, count)
for d, image in enumerate(([2, 2, 5], [2, 3, 3, 4], [1, 2, 2, 3, 2]), 1):
    case(f"GlobalMaxPool{d}D", image)
    case(f"GlobalMaxPool{d}D", ("ties", image), label="ties")
    case(f"GlobalAvgPool{d}D", image)
for d, sizes in ((1, ([3], [5], [7])), (2, ([3, 5], [5, 2], [6, 8])), (3, ([2, 3, 2], [5, 2, 4]))):
    for size in sizes:
        image = [1, 2] + [5, 7, 4][:d]
        for kind in ("plain", "ties"):
            case(f"AdaptiveMaxPool{d}D", (kind, image), label=kind, Size=flat(d, size))
        case(f"AdaptiveAvgPool{d}D", image, Size=flat(d, size))

for p, ceil in product((1, 2, 2.5, 3), (False, True)):
    case("LpPool2D", [1, 2, 5, 4] if not ceil else [1, 2, 5, 5], P=p, Op={"Kernel": [3, 2], "Stride": [2, 1], "Ceil": ceil})
    case("LpPool1D", [2, 2, 7], P=p, Op={"Kernel": 3, "Stride": 2})
for p, dilation in product((1, 2, 3), ([1, 1], [2, 1])):
    case("LpPool2D", [1, 2, 5, 4], label="a pad on each side",
         P=p, Op={"Kernel": [2, 2], "Stride": [2, 2], "Dilation": dilation, "Pad": [[0, 1], [1, 0]]})
for p in (1, 2, 3):
    case("LpPool3D", [1, 2, 3, 4, 3], P=p, Op={"Kernel": [2, 2, 1], "Stride": [1, 2, 2]})

for size in ([3, 7], [5, 2], [8, 10], [4, 5], [1, 1], [9, 4]):
    case("ResizeNearest", [1, 2, 4, 5], Size=size)
    case("ResizeBilinear", [1, 2, 4, 5], Size=size)

for mode, size in product((0, 1, 2), ([3, 7], [9, 2], [1, 1])):
    for coordinates in range(6):
        options = {"Mode": mode, "Coordinates": coordinates}
        if coordinates == 5:
            options |= {"Crop": [[0.1, 0.9], [-0.3, 1.25]], "Extrapolation": 1.5}
        case("Resize", [1, 2, 4, 5], Axes=[2, 3], Sizes=size, Options=options)
    if mode:
        for exclude in (False, True):
            case("Resize", [1, 2, 4, 5], Axes=[2, 3], Sizes=size, Options={"Mode": mode, "Antialias": True, "ExcludeOutside": exclude, "Cubic": -0.5})
        case("Resize", [1, 2, 4, 5], Axes=[2, 3], Sizes=size, Options={"Mode": mode, "ExcludeOutside": True})
for rounding, coordinates in product(range(4), range(5)):
    case("Resize", [2, 5, 4], Axes=[1, 2], Sizes=[10, 2], Options={"Rounding": rounding, "Coordinates": coordinates})
for mode in (1, 2):
    case("Resize", [1, 2, 9, 11], label="scales", Axes=[2, 3], Sizes=[14, 7], Options={"Mode": mode, "Scales": [1.6, 0.7]})
case("Resize", [3, 4, 2], label="one axis", Axes=[0], Sizes=[7], Options={"Mode": 1})
case("Resize", [2, 3, 40, 30], label="large", Axes=[2, 3], Sizes=[17, 61], Options={"Mode": 2, "Antialias": True, "ExcludeOutside": True, "Cubic": -0.5})

for sampling, border, align in product(range(3), range(3), (False, True)):
    options = {"Sampling": sampling, "Border": border, "AlignCorners": align}
    case("GridSample", [2, 3, 4, 5], [2, 3, 2, 2], **options)
    case("GridSample", [1, 2, 3, 4], ("positive", [1, 5, 4, 2]), label="beyond the end", **options)
    if sampling < 2:
        case("GridSample", [1, 2, 3, 4, 2], [1, 2, 3, 2, 3], **options)

for samples, scale, half in product((1, 2, 3), (1, 0.5), (False, True)):
    case("RoIAlign", [3, 2, 4, 5], ("wide", [4, 4]), ("ids", [4]), Size=[2, 3], Samples=samples, Scale=scale, HalfPixel=half)
    case("RoIAlign", [3, 2, 4, 5], ("positive", [4, 4]), ("ids", [4]), Size=[3, 1], Samples=samples, Scale=4 * scale, HalfPixel=half)
    case("RoIAlign", [3, 2, 4, 5], ("positive", [4, 4]), ("ids", [4]), Size=[2, 2], Samples=samples, Scale=4, HalfPixel=half, Max=True, differentiable=False)

# ---- moving and choosing elements

for perm in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]):
    case("Transpose", [2, 3, 4], Perm=perm)
case("Transpose", [2, 7, 9, 11], label="large", Perm=[0, 2, 3, 1])
for axis in range(3):
    other = [[2, 3, 2], [2, 3, 2], [2, 3, 2]]
    other[1][axis], other[2][axis] = 1, 4
    case("Concat", *other, Axis=axis)
for ranges in ([[1, 3, 1]], [[0, 4, 2], [1, 5, 3]], [[0, 4, 1], [2, 3, 1]], [[3, None, -1]], [[0, 4, 1], [4, 0, -2]]):
    case("Slice", [4, 5], Ranges=ranges)
for before, after in (([0, 1], [2, 0]), ([1, 0, 2], [1, 3, 0])):
    for value in (0, -1.5):
        case("Pad", [2, 3, 2][:len(before)], Mode="constant", Before=before, After=after, Value=value)
for mode in ("edge", "reflect", "symmetric"):
    rows = mode != "symmetric"
    case("Pad", [1, 2, 3, 4], Mode=mode, Before=[0, 0, 1 if rows else 0, 2], After=[0, 0, 2 if rows else 0, 1])
for to in ([6, 4], [24], [1, 2, 2, 6], [3, 8]):
    case("Reshape", [2, 3, 4], Shape=to)
case("Flatten", [2, 3, 4])
case("Squeeze", [2, 1, 4], Axes=[1])
case("Squeeze", [1, 3, 1], Axes=[0, 2])
case("Unsqueeze", [2, 3], Axes=[0])
case("Unsqueeze", [2, 3], Axes=[1, 3])
case("Full", [3], Shape=[2, 2], V=-1.5)
case("Scalar", [3], V=2.5)
case("OneHot", ("ids", [2, 3]), [1], Classes=4)
for axis in range(3):
    case("Gather", [3, 4, 3], ("ids", [2, 5]), Axis=axis)
    along = [3, 4, 3]
    along[axis] = 5
    case("GatherAlong", [3, 4, 3], ("ids", along), Axis=axis)
    part = [3, 4, 3]
    part[axis] = 2
    case("UpdateSlice", [3, 4, 3], part, Axis=axis, Start=1)
    for part in ("values", "places"):
        case("TopK", [2, 4, 3], K=2, Axis=axis, Part=part)
    case("ArgMax", [2, 4, 3], Axis=axis)
    case("ArgMin", [2, 4, 3], Axis=axis)
    for part in ("values", "places"):
        case("BottomK", [2, 4, 3], K=2, Axis=axis, Part=part)
    for combine in range(5):
        case("ScatterAlong", [3, 4, 3], ("ids", along), along, Axis=axis, Combine=combine, differentiable=combine < 2)
for combine in range(5):
    case("ScatterND", [3, 4, 2], ("ids", [5, 2]), [5, 2], Combine=combine, differentiable=combine < 2)
    case("ScatterND", [3, 4, 2], ("ids", [2, 2, 1]), [2, 2, 4, 2], Combine=combine, differentiable=combine < 2)
    case("ScatterND", [3, 4], ("ids", [7, 2]), [7], Combine=combine, differentiable=combine < 2)
case("GatherND", [3, 4, 2], ("ids", [5, 2]), Batch=0)
case("GatherND", [3, 4, 2], ("ids", [2, 5, 1]), Batch=0)
case("GatherND", [2, 3, 4, 3, 2], ("ids", [2, 3, 5, 2]), Batch=2)
case("GatherND", [2, 3, 4], ("ids", [2, 2]), Batch=1)
case("ReverseSequence", [4, 3, 2], ("ids", [3]), Batch=1, Axis=0)
case("ReverseSequence", [3, 2, 4], ("ids", [3]), Batch=0, Axis=2)
for k in (1, 2, 3):
    case("DepthToSpace", [2, 2 * k * k, 3, 2], K=k)
    case("PixelShuffle", [2, 2 * k * k, 3, 2], K=k)
    case("SpaceToDepth", [2, 2, 3 * k, 2 * k], K=k)
    case("PixelUnshuffle", [2, 2, 3 * k, 2 * k], K=k)
for k in (-2, 0, 1, 9):
    case("Tril", [2, 3, 4], K=k)
    case("Triu", [4, 3], K=k)
case("Embedding", [3, 4], ("ids", [2, 5]))

write("ops.json.gz", cases)
print(len(cases), "cases")
