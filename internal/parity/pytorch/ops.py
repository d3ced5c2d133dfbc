#!/usr/bin/env python3
"""Writes ops.json.gz: results and gradients of every op, by PyTorch (1.13.1) in float64.

A case is a function of package ops, its attributes as JSON of their Go structs, its inputs by kind
and shape, the result, and the gradient of sum(dy*y) for each floating-point input; dy is tensor 7
of the counter, input i is tensor i. Where the result is not floating point there are no gradients.
"each" says that elements are compared one by one, since they differ in size.
"""
import math
from itertools import product

import torch
import torch.nn.functional as F

from common import counter, kept, rounded, write

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


def case(op, f, *inputs, label="", each=False, states=(), differentiable=True, **attrs):
    """Inputs are shapes, or (kind, shape); states are shapes of leaves that have no gradient."""
    inputs = [x if isinstance(x, tuple) else ("plain", x) for x in (*inputs, *states)]
    xs = [made(kind, p, shape) for p, (kind, shape) in enumerate(inputs)]
    y = f(*xs)
    out = {"op": op, "label": label, "attrs": attrs, "in": [{"kind": k, "shape": s} for k, s in inputs], "states": len(states), "each": each, "y": kept(y, each)}
    floats = [x for x in xs[:len(xs) - len(states)] if x.is_floating_point()]
    if y.is_floating_point() and differentiable:
        grads = [None] * len(floats)
        if y.requires_grad:
            grads = torch.autograd.grad(y, floats, counter(7, y.shape), allow_unused=True)
        out["grads"] = [kept(torch.zeros_like(x) if g is None else g, each) for x, g in zip(floats, grads)]
    cases.append(out)


# ---- elementwise

UNARY = {
    "Neg": torch.neg, "Abs": torch.abs, "Sign": torch.sign, "Exp": torch.exp, "Log": torch.log, "Log1p": torch.log1p,
    "Expm1": torch.expm1, "Sqrt": torch.sqrt, "Sin": torch.sin, "Cos": torch.cos, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid,
    "Erf": torch.erf, "Floor": torch.floor, "ReLU": torch.relu, "Softplus": F.softplus, "Square": torch.square,
    "Reciprocal": torch.reciprocal, "StopGradient": torch.Tensor.detach, "ZerosLike": torch.zeros_like, "OnesLike": torch.ones_like,
}
for op, f in UNARY.items():
    case(op, f, [2, 3])
    case(op, f, ("wide", [41]), each=True)
    case(op, f, ("kinks", [9]), each=True)
    # The sign of NaN is 0 in PyTorch and NaN here; both leave it out.
    case(op, f, ("edges", [len(EDGES) - (op in ("Sign", "Abs"))]), each=True)
for op in ("Exp", "Log", "Tanh", "Sigmoid", "ReLU", "Erf", "Sin", "Softplus"):
    case(op, UNARY[op], ("positive", [2, 1021]), label="large")

ACTIVATIONS = [
    ("GELU", {}, F.gelu), ("ELU", {"Alpha": 1.0}, F.elu), ("ELU", {"Alpha": 0.7}, lambda x: F.elu(x, 0.7)), ("SELU", {}, F.selu),
    ("GELUTanh", {}, lambda x: F.gelu(x, approximate="tanh")), ("SiLU", {}, F.silu), ("Mish", {}, F.mish), ("Softsign", {}, F.softsign),
    ("HardSigmoid", {}, lambda x: F.relu6(x + 3) / 6),  # the derivative of PyTorch's own is that of float32
    ("HardSwish", {}, F.hardswish),
    ("LeakyReLU", {"Alpha": 0.1}, lambda x: F.leaky_relu(x, 0.1)), ("LeakyReLU", {"Alpha": 1.5}, lambda x: F.leaky_relu(x, 1.5)),
    ("Clip", {"Lo": -0.5, "Hi": 0.5}, lambda x: x.clamp(-0.5, 0.5)), ("Clip", {"Lo": -3, "Hi": 1}, lambda x: x.clamp(-3, 1)),
    ("AddScalar", {"V": -0.75}, lambda x: x - 0.75), ("MulScalar", {"V": -1.5}, lambda x: x * -1.5),
    ("FullLike", {"V": 0.25}, lambda x: torch.full_like(x, 0.25)),
]
for op, attrs, f in ACTIVATIONS:
    case(op, f, [2, 3], **attrs)
    case(op, f, ("wide", [41]), each=True, **attrs)
    case(op, f, ("kinks", [9]), each=True, **attrs)
    case(op, f, ("edges", [12]), each=True, **attrs)  # the finite ones
for alphas in ([1], [3], []):
    case("PReLU", lambda x, a: F.prelu(x, a.reshape(-1)), [2, 3, 2], alphas)
case("PReLU", F.prelu, ("edges", [12]), [1], each=True)

BINARY = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow, "Maximum": torch.maximum, "Minimum": torch.minimum,
}
BROADCASTS = [([2, 3], [3]), ([3, 1], [1, 3]), ([], [2, 2]), ([2, 3, 2, 2], [3, 1, 1]), ([2, 1, 3], [4, 1])]
for op, f in BINARY.items():
    case(op, f, ("positive", [2, 3]), [2, 3])
    for a, b in BROADCASTS:
        case(op, f, ("positive", a), b)
    case(op, f, ("ties", [3, 1]), ("ties", [1, 3]), label="ties", each=True)
    case(op, f, ("edges", [len(EDGES), 1]), ("edges", [8]), label="edges", each=True)
    case(op, f, ("positive", [3, 5, 67]), ("positive", [5, 1]), label="large")

PREDICATES = {
    "Equal": torch.eq, "NotEqual": torch.ne, "Less": torch.lt, "LessEqual": torch.le, "Greater": torch.gt, "GreaterEqual": torch.ge,
}
for op, f in PREDICATES.items():
    case(op, f, ("ties", [2, 3]), ("ties", [3]))
    case(op, f, ("edges", [len(EDGES), 1]), ("edges", [len(EDGES)]))
    case(op, f, ("ids", [3, 1]), ("ids", [4]), label="integers")
for op, f in {"And": torch.logical_and, "Or": torch.logical_or}.items():
    case(op, f, ("mask", [2, 3]), ("mask", [3]))
case("Not", torch.logical_not, ("mask", [2, 3]))
for a, b in [([2, 3], [2, 3]), ([3], [2, 1]), ([], [2, 3])]:
    case("Where", torch.where, ("mask", [2, 3]), a, b)
case("Where", torch.where, ("mask", [15]), ("edges", [15]), [15], each=True)
for to, dtype in {"int32": torch.int32, "int64": torch.int64, "bool": torch.bool}.items():
    case("Cast", lambda x: x.to(dtype), ("kinks", [9]), To=to)
    case("Cast", lambda x: x.to(dtype), ("wide", [12]), To=to)

# ---- reductions

REDUCTIONS = {
    "Sum": (torch.sum, False), "SumKeep": (torch.sum, True), "Mean": (torch.mean, False), "MeanKeep": (torch.mean, True),
    "Max": (torch.amax, False), "MaxKeep": (torch.amax, True), "Min": (torch.amin, False), "MinKeep": (torch.amin, True),
    "Variance": (lambda x, dim, keepdim: torch.var(x, dim, unbiased=False, keepdim=keepdim), False),
}
SUBSETS = [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]
for op, (f, keep) in REDUCTIONS.items():
    for axes in SUBSETS:
        case(op, lambda x: f(x, dim=axes, keepdim=keep), [2, 3, 2], Axes=axes)
        if op in ("Max", "MaxKeep", "Min", "MinKeep"):
            case(op, lambda x: f(x, dim=axes, keepdim=keep), ("ties", [2, 3, 2]), label="ties", Axes=axes)
    if not keep:
        for axes in ([0], [2], [0, 2]):
            case(op, lambda x: f(x, dim=axes, keepdim=keep), [17, 11, 23], label="large", Axes=axes)
for axes in SUBSETS:
    def prod(x):
        for axis in reversed(axes):
            x = x.prod(axis)
        return x
    case("Prod", prod, [2, 3, 2], Axes=axes)
    case("Prod", prod, ("ties", [2, 3, 2]), label="zeros", Axes=axes)
for axes in SUBSETS:
    case("Count", lambda x: torch.tensor(float(math.prod(x.shape[a] for a in axes))), [2, 3, 2], Axes=axes)
for to in ([2, 3], [4, 2, 3], [2, 2, 3]):
    case("BroadcastTo", lambda x: x.expand(to), [2, 3] if to != [2, 2, 3] else [2, 1, 3], Shape=to)
for to in ([3], [2, 1], [1, 1], [], [2, 3]):
    case("SumTo", lambda x: x.sum_to_size(to), [2, 3], Shape=to)

for op, f in {"Softmax": F.softmax, "LogSoftmax": F.log_softmax}.items():
    for axis in range(3):
        case(op, lambda x: f(x, axis), [2, 3, 2], Axis=axis)
        # a gradient of what is almost 0 or 1 is a small difference: compared with 1
        case(op, lambda x: f(x, axis), ("wide", [3, 2, 4]), label="wide", each=True, Axis=axis)
    case(op, lambda x: f(x, 1), ("large", [2, 3]), label="LargeLogits", Axis=1)
    case(op, lambda x: f(x, 1), ("wide", [5, 601]), label="large", Axis=1)
    case(op, lambda x: f(x, 1), [2, 21, 47], label="large", Axis=1)
for axis in range(3):
    case("CumSum", lambda x: x.cumsum(axis), [2, 4, 3], Axis=axis)

# ---- losses

for each, smoothing in product((False, True), (0.0, 0.2)):
    loss = lambda x, t: F.cross_entropy(x, t, reduction="none" if each else "mean", label_smoothing=smoothing)
    options = {"LabelSmoothing": smoothing, "PerExample": each}
    case("CrossEntropy", loss, [4, 3], ("ids", [4]), **options)
    case("CrossEntropy", loss, ("large", [2, 3]), ("ids", [2]), label="LargeLogits", **options)
    case("CrossEntropy", loss, [2, 3, 2, 1], ("ids", [2, 2, 1]), label="pixels", **options)
    case("CrossEntropy", loss, [4, 3], ("chance", [4, 3]), label="distributions", **options)
    case("CrossEntropy", loss, [2, 3, 2], ("chance", [2, 3, 2]), label="distributions of pixels", **options)
    case("CrossEntropy", loss, [3], ("ids", []), label="one example", **options)
case("CrossEntropy", F.cross_entropy, ("wide", [6, 400]), ("ids", [6]), label="large")
case("BinaryCrossEntropy", F.binary_cross_entropy_with_logits, [2, 3], ("chance", [2, 3]))
case("BinaryCrossEntropy", F.binary_cross_entropy_with_logits, ("large", [4]), ("chance", [4]), label="LargeLogits")
case("BinaryCrossEntropy", F.binary_cross_entropy_with_logits, ("kinks", [9]), ("chance", [9]))
case("MSE", F.mse_loss, [2, 3], ("positive", [2, 3]))
case("NLL", F.nll_loss, [4, 3], ("ids", [4]))
case("NLL", F.nll_loss, [2, 3, 2, 1], ("ids", [2, 2, 1]), label="pixels")
case("KLDivergence", lambda x, t: F.kl_div(x, t, reduction="batchmean"), [3, 4], ("positive", [3, 4]))
case("KLDivergence", lambda x, t: F.kl_div(x, t, reduction="batchmean"), [2, 3, 2], ("positive", [2, 3, 2]))
for delta in (1.0, 0.5):
    case("Huber", lambda x, t: F.huber_loss(x, t, delta=delta), [3, 4], ("positive", [3, 4]), Delta=delta)
case("Huber", F.huber_loss, ("large", [4]), ("positive", [4]), Delta=1.0)
case("Huber", F.huber_loss, ("kinks", [9]), ("ties", [9]), label="kinks", Delta=1.0)
hinge = lambda x, t: (1 - t * x).relu().mean()
case("Hinge", hinge, [3, 4], ("sides", [3, 4]))
case("Hinge", hinge, ("kinks", [9]), ("sides", [9]), label="kinks")

# ---- normalisation

for size, alpha, beta, k in ((5, 1e-4, 0.75, 1.0), (4, 2.0, 0.5, 2.0), (1, 1.0, 1.25, 1.0), (9, 0.5, 0.75, 0.5), (3, 4.0, 0.75, 1.0)):
    for x in ([2, 7, 3], [1, 6, 2, 3], [3, 4]):
        # PyTorch's own takes no fewer than three axes
        case("LRN", lambda x: F.local_response_norm(x.reshape(*x.shape, 1), size, alpha, beta, k).reshape(x.shape), x, Size=size, Alpha=alpha, Beta=beta, K=k)
case("LRN", lambda x: F.local_response_norm(x, 5, 1.0), [2, 20, 5, 7], label="large", Size=5, Alpha=1.0)

for size, alpha, beta, k in ((3, 1e-4, 0.75, 1.0), (5, 2.0, 0.5, 2.0), (1, 1.0, 1.25, 1.0)):
    within = lambda x: x * (k + alpha * F.avg_pool2d(x * x, size, 1, size // 2, count_include_pad=True)) ** -beta
    case("LRNWithinChannel", within, [2, 3, 4, 6], Size=size, Alpha=alpha, Beta=beta, K=k)

for eps in (1e-5, 1e-2):
    for x, axes in (([3, 4], [4]), ([2, 2, 3], [2, 3]), ([2, 2, 3], [3]), ([2, 3, 2, 2], [3, 2, 2])):
        case("LayerNorm", lambda x, g, b: F.layer_norm(x, g.shape, g, b, eps), x, axes, axes, Eps=eps)
    for x, groups in product(([2, 4, 3], [2, 4, 2, 3], [3, 12]), (1, 2, 4)):
        case("GroupNorm", lambda x, g, b: F.group_norm(x, groups, g, b, eps), x, [x[1]], [x[1]], Groups=groups, Eps=eps)
    for x in ([2, 3, 2, 2], [2, 3, 5]):
        case("InstanceNorm", lambda x, g, b: F.instance_norm(x, weight=g, bias=b, eps=eps), x, [3], [3], Eps=eps)
case("LayerNorm", lambda x, g, b: F.layer_norm(x, g.shape, g, b), [9, 150], [150], [150], label="large")


def batch_norm(part, eps, momentum):
    def f(x, gamma, beta, mean, variance):
        mean, variance = mean.detach().clone(), variance.detach().clone()
        if part == "inference":
            return F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=eps)
        y = F.batch_norm(x, mean, variance, gamma, beta, training=True, momentum=momentum, eps=eps)
        return {"training": y, "mean": mean, "variance": variance}[part]
    return f


for x, eps, momentum in (([6, 3], 1e-5, 0.1), ([4, 2, 3], 1e-5, 0.1), ([3, 2, 2, 3], 1e-3, 0.25), ([2, 3, 1, 2, 2], 1e-5, 1.0), ([1, 2, 3, 1], 1e-5, 0.1)):
    for part in ("training", "mean", "variance", "inference"):
        c = [x[1]]
        case("BatchNorm", batch_norm(part, eps, momentum), x, c, c, states=[c, ("positive", c)], differentiable=part in ("training", "inference"), label=part,
              Part=part, Eps=eps, Momentum=momentum)
case("BatchNorm", batch_norm("training", 1e-5, 0.1), [8, 5, 7, 6], [5], [5], states=[[5], ("positive", [5])], label="large", Part="training")

# ---- products

for ta, tb in product((False, True), repeat=2):
    multiply = lambda a, b: torch.matmul(a.transpose(-1, -2) if ta else a, b.transpose(-1, -2) if tb else b)
    for batch, a, b in (("no batch", [], []), ("batch", [2, 3], [2, 3]), ("batch of a", [3], []), ("batch of b", [], [3])):
        case("MatMul", multiply, a + ([4, 2] if ta else [2, 4]), b + ([3, 4] if tb else [4, 3]), label=batch, TransA=ta, TransB=tb)
    case("MatMul", multiply, [131, 7] if ta else [7, 131], [61, 131] if tb else [131, 61], label="large", TransA=ta, TransB=tb)
    if ta == tb:
        case("MatMul", multiply, [3, 29, 10] if ta else [3, 10, 29], [3, 17, 29] if tb else [3, 29, 17], label="large, batch", TransA=ta, TransB=tb)
case("MatMul", torch.matmul, [1, 301], [301, 33], label="row")
for x in ([2, 3], [2, 3, 2], [2, 3, 2, 2]):
    case("AddBias", lambda x, b: x + b.reshape([-1] + [1] * (x.dim() - 2)), x, [3])

for spec, *shapes in (
    ("ij,jk->ik", [2, 3], [3, 4]), ("ij,jk", [2, 3], [3, 4]), ("ij->ji", [2, 3]), ("ba", [2, 3]), ("ij->", [2, 3]), ("ii", [3, 3]), ("ii->i", [3, 3]),
    ("iji->j", [3, 2, 3]), ("iii->i", [3, 3, 3]), ("i,i->", [4], [4]), ("i,j->ji", [2], [3]), ("i,i->i", [4], [4]), ("bij,bjk->bik", [2, 3, 4], [2, 4, 2]),
    ("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]), ("ij,kj,lk->il", [2, 3], [4, 3], [2, 4]), ("bn,anm,bm->ba", [2, 3], [4, 3, 2], [2, 2]),
    ("ik,jk->k", [2, 3], [4, 3]), ("aab,bc->ca", [2, 2, 3], [3, 2]), (",i->i", [], [3]), ("ij,ij", [2, 3], [2, 3]), ("i,i,i->", [3], [3], [3]),
    ("cij,oij->co", [2, 3, 2], [4, 3, 2]),
):
    case("Einsum", lambda *xs: torch.einsum(spec, *xs) + 0.0, *shapes, Subscripts=spec)


def attention(q, k, v, mask=None, scale=None, causal=False):
    scores = q @ k.transpose(-2, -1) * (scale or q.shape[-1] ** -0.5)
    allowed = torch.ones(scores.shape, dtype=torch.bool) if mask is None else mask.expand(scores.shape)
    if causal:
        allowed = allowed.tril()
    scores = scores.masked_fill(~allowed & allowed.any(-1, True), -math.inf)
    return scores.softmax(-1).masked_fill(~allowed, 0) @ v  # a query without a key gives zeros


QKV = [[2, 2, 4, 3], [2, 2, 5, 3], [2, 2, 5, 2]]
case("Attention", attention, *QKV)
case("Attention", lambda q, k, v: attention(q, k, v, scale=2), *QKV, Scale=2)
case("Attention", lambda q, k, v: attention(q, k, v, causal=True), *QKV, Causal=True)
case("Attention", attention, *QKV, ("most", [4, 5]), label="mask")
case("Attention", lambda *x: attention(*x, causal=True), *QKV, ("most", [2, 1, 4, 5]), label="mask", Causal=True)
case("Attention", attention, ("large", [4, 3]), ("large", [5, 3]), [5, 2], label="LargeLogits")
case("Attention", attention, [2, 3, 20, 8], [2, 3, 24, 8], [2, 3, 24, 5], label="large")


def output(run, part):
    """One output of a recurrent layer: all hidden states, the last, or the last cell state, without the axis of layers."""
    return lambda *x: run(*x)[part] if part == 0 else run(*x)[part][0]


gates = lambda n: [[n * 2, 3], [n * 2, 2], [n * 2], [n * 2]]
for part, name in enumerate(("hidden", "cell")):
    case("LSTMCell", lambda x, h, c, *p: torch._VF.lstm_cell(x, (h, c), *p)[part], [4, 3], [4, 2], [4, 2], *gates(4), Part=name)
for part, name in enumerate(("all", "hidden", "cell")):
    lstm = lambda x, h, c, *p: torch._VF.lstm(x, (h[None], c[None]), p, True, 1, 0.0, True, False, True)
    case("LSTM", output(lstm, part), [2, 5, 3], [2, 2], [2, 2], *gates(4), Part=name)
case("GRUCell", torch._VF.gru_cell, [4, 3], [4, 2], *gates(3))
for part, name in enumerate(("all", "hidden")):
    gru = lambda x, h, *p: torch._VF.gru(x, h[None], p, True, 1, 0.0, True, False, True)
    case("GRU", output(gru, part), [2, 5, 3], [2, 2], *gates(3), Part=name)

# ---- convolution


def sides(pad):
    """Padding an axis, as F.pad wants it."""
    return [n for side in reversed(pad) for n in side]


def conv(d, x, w, label="", stride=None, dilation=None, pad=None, groups=1):
    ones = [1] * d
    stride, dilation, pad = stride or ones, dilation or ones, pad or [[0, 0]] * d
    flat = (lambda v: v[0]) if d == 1 else (lambda v: v)
    f = [F.conv1d, F.conv2d, F.conv3d][d - 1]
    case(f"Conv{d}D", lambda x, w: f(F.pad(x, sides(pad)), w, stride=tuple(stride), dilation=tuple(dilation), groups=groups), x, w,
         label=label, Stride=flat(stride), Dilation=flat(dilation), Pad=flat(pad), Groups=groups)


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
    flat = (lambda v: v[0]) if d == 1 else (lambda v: v)
    f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][d - 1]
    case(f"ConvTranspose{d}D", lambda x, w: f(x, w, None, tuple(stride), tuple(padding), tuple(extra), groups, tuple(dilation)), x, w, label=label,
         Op={"Stride": flat(stride), "Dilation": flat(dilation), "Groups": groups, "Pad": flat([[n, n] for n in padding])}, Extra=flat(extra))


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


def attributes(d, kernel, stride, pad, ceil, dilation=None, **more):
    flat = (lambda v: v[0]) if d == 1 else (lambda v: v)
    dilation = dilation or [1] * d
    return {"Kernel": flat(kernel), "Stride": flat(stride), "Pad": flat([[n, n] for n in pad]), "Ceil": ceil, "Dilation": flat(dilation), **more}


def max_pool(d, x, kernel, stride, pad=None, dilation=None, ceil=False, label="", kind="plain"):
    pad, dilation = pad or [0] * d, dilation or [1] * d
    f = [F.max_pool1d, F.max_pool2d, F.max_pool3d][d - 1]
    case(f"MaxPool{d}D", lambda x: f(x, kernel, stride, pad, dilation, ceil), (kind, x), label=label,
         **attributes(d, kernel, stride, pad, ceil, dilation))


def avg_pool(d, x, kernel, stride, pad=None, ceil=False, count=False, label=""):
    pad = pad or [0] * d
    f = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][d - 1]
    case(f"AvgPool{d}D", lambda x: f(x, kernel, stride, pad, ceil, count), x, label=label,
         **attributes(d, kernel, stride, pad, ceil, CountPad=count))


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
case("MaxPool2D", lambda x: F.max_pool2d(F.pad(x, [2, 0, 0, 1], value=-math.inf), [3, 3], [2, 2]), [1, 2, 6, 5], label="a pad on each side",
     Kernel=[3, 3], Stride=[2, 2], Pad=[[0, 1], [2, 0]])
for count in (False, True):
    avg_pool(2, [1, 2, 6, 8], [3, 4], [2, 3], [1, 2], True, count, label="NonSquare")
    avg_pool(2, [2, 8, 17, 19], [3, 3], [2, 2], [1, 1], False, count, label="large")


def windowed_sum(x, kernel, stride, dilation, pad):
    """The sum of each window of a padded image: a depthwise convolution by ones."""
    c = x.shape[1]
    return F.conv2d(F.pad(x, sides(pad)), torch.ones([c, 1] + kernel), stride=stride, dilation=dilation, groups=c)


for dilation, pad, count in product(([1, 1], [2, 3]), ([[0, 1], [2, 0]], [[2, 1], [0, 3]]), (False, True)):
    def mean(x):
        counted = F.pad(torch.ones_like(x), sides(pad), value=float(count))
        n = windowed_sum(counted, [2, 2], [2, 1], dilation, [[0, 0], [0, 0]])
        return windowed_sum(x, [2, 2], [2, 1], dilation, pad) / n.clamp(min=1)  # padding alone gives 0
    case("AvgPool2D", mean, [1, 2, 6, 5], label="a pad on each side", Kernel=[2, 2], Stride=[2, 1], Dilation=dilation, Pad=pad, CountPad=count)

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
    case(f"GlobalMaxPool{d}D", lambda x: getattr(F, f"adaptive_max_pool{d}d")(x, 1), image)
    case(f"GlobalMaxPool{d}D", lambda x: getattr(F, f"adaptive_max_pool{d}d")(x, 1), ("ties", image), label="ties")
    case(f"GlobalAvgPool{d}D", lambda x: getattr(F, f"adaptive_avg_pool{d}d")(x, 1), image)
for d, sizes in ((1, ([3], [5], [7])), (2, ([3, 5], [5, 2], [6, 8])), (3, ([2, 3, 2], [5, 2, 4]))):
    for size in sizes:
        attr = size[0] if d == 1 else size
        image = [1, 2] + [5, 7, 4][:d]
        for kind in ("plain", "ties"):
            case(f"AdaptiveMaxPool{d}D", lambda x: getattr(F, f"adaptive_max_pool{d}d")(x, attr), (kind, image), label=kind, Size=attr)
        case(f"AdaptiveAvgPool{d}D", lambda x: getattr(F, f"adaptive_avg_pool{d}d")(x, attr), image, Size=attr)


# PyTorch's lp_pool leaves out the absolute values.
for p, ceil in product((1, 2, 2.5, 3), (False, True)):
    case("LpPool2D", lambda x: F.lp_pool2d(x.abs(), p, (3, 2), (2, 1), ceil), [1, 2, 5, 4] if not ceil else [1, 2, 5, 5],
         P=p, Op={"Kernel": [3, 2], "Stride": [2, 1], "Ceil": ceil})
    case("LpPool1D", lambda x: F.lp_pool1d(x.abs(), p, 3, 2), [2, 2, 7], P=p, Op={"Kernel": 3, "Stride": 2})
for p, dilation in product((1, 2, 3), ([1, 1], [2, 1])):
    pad = [[0, 1], [1, 0]]
    case("LpPool2D", lambda x: windowed_sum(x.abs() ** p, [2, 2], [2, 2], dilation, pad) ** (1 / p), [1, 2, 5, 4], label="a pad on each side",
         P=p, Op={"Kernel": [2, 2], "Stride": [2, 2], "Dilation": dilation, "Pad": pad})
for p in (1, 2, 3):
    case("LpPool3D", lambda x: (F.avg_pool3d(x.abs() ** p, (2, 2, 1), (1, 2, 2)) * 4) ** (1 / p), [1, 2, 3, 4, 3],
         P=p, Op={"Kernel": [2, 2, 1], "Stride": [1, 2, 2]})

for size in ([3, 7], [5, 2], [8, 10], [4, 5], [1, 1], [9, 4]):
    case("ResizeNearest", lambda x: F.interpolate(x, size, mode="nearest"), [1, 2, 4, 5], Size=size)
    case("ResizeBilinear", lambda x: F.interpolate(x, size, mode="bilinear", align_corners=False), [1, 2, 4, 5], Size=size)

# ---- moving and choosing elements

for perm in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]):
    case("Transpose", lambda x: x.permute(perm), [2, 3, 4], Perm=perm)
case("Transpose", lambda x: x.permute(0, 2, 3, 1), [2, 7, 9, 11], label="large", Perm=[0, 2, 3, 1])
for axis in range(3):
    other = [[2, 3, 2], [2, 3, 2], [2, 3, 2]]
    other[1][axis], other[2][axis] = 1, 4
    case("Concat", lambda *xs: torch.cat(xs, axis), *other, Axis=axis)
for ranges, part in [
    ([[1, 3, 1]], lambda x: x[1:3]), ([[0, 4, 2], [1, 5, 3]], lambda x: x[0:4:2, 1:5:3]), ([[0, 4, 1], [2, 3, 1]], lambda x: x[:, 2:3]),
    ([[3, None, -1]], lambda x: x.flip(0)), ([[0, 4, 1], [4, 0, -2]], lambda x: x.flip(1)[:, 0:4:2]),
]:
    case("Slice", part, [4, 5], Ranges=ranges)
for before, after in (([0, 1], [2, 0]), ([1, 0, 2], [1, 3, 0])):
    flat = [n for pair in zip(reversed(after), reversed(before)) for n in reversed(pair)]
    for value in (0, -1.5):
        case("Pad", lambda x: F.pad(x, flat, value=value), [2, 3, 2][:len(before)], Mode="constant", Before=before, After=after, Value=value)
for mode in ("edge", "reflect", "symmetric"):
    def padded(x):
        theirs = {"edge": "replicate", "reflect": "reflect"}
        if mode in theirs:
            return F.pad(x, [2, 1, 1, 2], mode=theirs[mode])
        return torch.cat([x.flip(3)[..., -2:], x, x.flip(3)[..., :1]], 3)
    rows = mode != "symmetric"
    case("Pad", padded, [1, 2, 3, 4], Mode=mode, Before=[0, 0, 1 if rows else 0, 2], After=[0, 0, 2 if rows else 0, 1])
for to in ([6, 4], [24], [1, 2, 2, 6], [3, 8]):
    case("Reshape", lambda x: x.reshape(to), [2, 3, 4], Shape=to)
case("Flatten", lambda x: x.flatten(1), [2, 3, 4])
case("Squeeze", lambda x: x.squeeze(1), [2, 1, 4], Axes=[1])
case("Squeeze", lambda x: x.squeeze(), [1, 3, 1], Axes=[0, 2])
case("Unsqueeze", lambda x: x.unsqueeze(0), [2, 3], Axes=[0])
case("Unsqueeze", lambda x: x.unsqueeze(1).unsqueeze(3), [2, 3], Axes=[1, 3])
case("Full", lambda x: torch.full([2, 2], -1.5), [3], Shape=[2, 2], V=-1.5)
case("Scalar", lambda x: torch.tensor(2.5), [3], V=2.5)
case("OneHot", lambda i, x: F.one_hot(i, 4).to(x.dtype), ("ids", [2, 3]), [1], Classes=4)
for axis in range(3):
    case("Gather", lambda x, i: torch.stack([x.index_select(axis, row) for row in i], axis), [3, 4, 3], ("ids", [2, 5]), Axis=axis)
    along = [3, 4, 3]
    along[axis] = 5
    case("GatherAlong", lambda x, i: x.gather(axis, i), [3, 4, 3], ("ids", along), Axis=axis)
    for part in ("values", "places"):
        case("TopK", lambda x: getattr(x.topk(2, axis), {"values": "values", "places": "indices"}[part]), [2, 4, 3], K=2, Axis=axis, Part=part)
    case("ArgMax", lambda x: x.argmax(axis), [2, 4, 3], Axis=axis)
case("Embedding", lambda w, i: F.embedding(i, w), [3, 4], ("ids", [2, 5]))

write("ops.json.gz", cases)
print(len(cases), "cases")
