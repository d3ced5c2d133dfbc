#!/usr/bin/env python3
"""Writes functions.json: results and gradients by PyTorch (1.13.1), in float64, of what is
computed element by element, of reductions, softmax and losses.

Inputs are not stored: values() below tells them by name, and dy is "plain" with seed 7. A case
is a name that the test knows a function for, the inputs, the result, and the gradient of
sum(dy*y) for each floating-point input.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

EDGES = [0.0, -0.0, 1, -1, 2.5, -2.5, 0.5, -0.5, 30, -30, 800, -800, math.inf, -math.inf, math.nan]


def values(kind, seed, n):
    plain = [((7919 * i + 131 * seed) % 1009) / 504.5 - 1 for i in range(n)]
    return {
        "plain": plain,
        "positive": [abs(v) + 0.25 for v in plain],
        "ties": [float((7919 * i + 131 * seed) % 1009 % 3) for i in range(n)],  # 0, 1 and 2
        "large": [1e4 * v for v in plain],
        "edges": EDGES[:n],
        "ids": [(7919 * i + 131 * seed) % 1009 % 3 for i in range(n)],
        "chance": [abs(v) for v in plain],
        "kinks": [-3.0, 3, 0, -1, 1, -2, 2, 4, -4][:n],
        "sides": [1.0 - 2 * (i % 2) for i in range(n)],
    }[kind]


def tensor(kind, seed, shape):
    v = torch.tensor(values(kind, seed, int(torch.Size(shape).numel()))).reshape(shape)
    return v if kind == "ids" else v.requires_grad_()


def number(v):
    return float("%.14g" % v) if math.isfinite(v) else str(v)


def numbers(t):
    return [number(v) for v in t.detach().flatten().tolist()]


cases = []


def case(name, f, *inputs):
    xs = [tensor(kind, seed, shape) for seed, (kind, shape) in enumerate(inputs)]
    y = f(*xs)
    floats = [x for x in xs if x.is_floating_point()]
    dy = torch.tensor(values("plain", 7, y.numel())).reshape(y.shape)
    dxs = torch.autograd.grad(y, floats, dy)
    cases.append({"name": name, "in": [{"kind": k, "shape": s} for k, s in inputs], "y": numbers(y), "dx": [numbers(d) for d in dxs]})


UNARY = {
    "Neg": torch.neg, "Abs": torch.abs, "Sign": torch.sign, "Exp": torch.exp, "Log": torch.log, "Log1p": torch.log1p,
    "Expm1": torch.expm1, "Sqrt": torch.sqrt, "Sin": torch.sin, "Cos": torch.cos, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "Erf": torch.erf,
    "Floor": torch.floor, "ReLU": torch.relu, "Softplus": F.softplus, "Square": torch.square, "Reciprocal": torch.reciprocal,
    "LeakyReLU 0.1": lambda x: F.leaky_relu(x, 0.1), "Clip -0.5 0.5": lambda x: x.clamp(-0.5, 0.5),
}
for name, f in UNARY.items():
    case(name, f, ("plain", [7]))
    # The sign of NaN is 0 in PyTorch and NaN here; both leave it out.
    case(name, f, ("edges", [len(EDGES) - (name in ("Sign", "Abs"))]))

BINARY = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow,
    "Maximum": torch.maximum, "Minimum": torch.minimum,
}
for name, f in BINARY.items():
    case(name, f, ("positive", [2, 3]), ("plain", [3]))
    case(name, f, ("ties", [3, 1]), ("ties", [1, 3]))
    case(name, f, ("edges", [len(EDGES), 1]), ("edges", [8]))
case("Where a<b", lambda a, b: torch.where(a < b, a, b), ("ties", [2, 3]), ("plain", [3]))

REDUCE = {
    "Sum": torch.sum, "Mean": torch.mean, "Max": torch.amax, "Min": torch.amin, "Variance": lambda x, dim: torch.var(x, dim, unbiased=False),
}
for name, f in REDUCE.items():
    for axes in ([0], [2], [0, 2], [1, 2], [0, 1, 2]):
        case(f"{name} {axes}", lambda x: f(x, dim=axes), ("plain" if name == "Variance" else "ties", [2, 3, 2]))
for axis in range(3):
    case(f"Prod [{axis}]", lambda x: x.prod(axis), ("ties", [2, 3, 2]))

for name, f in {"Softmax": F.softmax, "LogSoftmax": F.log_softmax}.items():
    for axis in range(3):
        case(f"{name} {axis}", lambda x: f(x, axis), ("plain", [2, 3, 2]))
    case(f"{name} 1", lambda x: f(x, 1), ("large", [2, 3]))

for size, alpha, beta, k in ((5, 1e-4, 0.75, 1.0), (4, 2.0, 0.5, 2.0), (1, 1.0, 1.25, 1.0), (9, 0.5, 0.75, 0.5)):
    case(f"LRN {size} {alpha:g} {beta:g} {k:g}", lambda x: F.local_response_norm(x, size, alpha, beta, k), ("plain", [2, 7, 3]))

for reduction in ("mean", "none"):
    for smoothing in (0.0, 0.2):
        loss = lambda x, t: F.cross_entropy(x, t, reduction=reduction, label_smoothing=smoothing)
        name = f"CrossEntropy {reduction} {smoothing}"
        case(name, loss, ("plain", [4, 3]), ("ids", [4]))
        case(name, loss, ("large", [2, 3]), ("ids", [2]))
        case(name, loss, ("plain", [2, 3, 2, 1]), ("ids", [2, 2, 1]))
        case(name, loss, ("plain", [4, 3]), ("chance", [4, 3]))
        case(name, loss, ("plain", [3]), ("ids", []))
case("BinaryCrossEntropy", F.binary_cross_entropy_with_logits, ("plain", [2, 3]), ("chance", [2, 3]))
case("BinaryCrossEntropy", F.binary_cross_entropy_with_logits, ("large", [4]), ("chance", [4]))
case("MSE", F.mse_loss, ("plain", [2, 3]), ("positive", [2, 3]))

case("NLL", lambda x, t: F.nll_loss(x, t), ("plain", [4, 3]), ("ids", [4]))
case("NLL", lambda x, t: F.nll_loss(x, t), ("plain", [2, 3, 2, 1]), ("ids", [2, 2, 1]))
case("KLDivergence", lambda x, t: F.kl_div(x, t, reduction="batchmean"), ("plain", [3, 4]), ("positive", [3, 4]))
for delta in (1.0, 0.5):
    case(f"Huber {delta}", lambda x, t: F.huber_loss(x, t, delta=delta), ("plain", [3, 4]), ("positive", [3, 4]))
case("Huber 1.0", F.huber_loss, ("large", [4]), ("positive", [4]))
case("Huber 1.0", F.huber_loss, ("kinks", [9]), ("ties", [9]))
case("Hinge", lambda x, t: (1 - t * x).relu().mean(), ("plain", [3, 4]), ("sides", [3, 4]))
case("Hinge", lambda x, t: (1 - t * x).relu().mean(), ("kinks", [9]), ("sides", [9]))

ACTIVATIONS = {
    "ELU 1.0": F.elu, "ELU 0.7": lambda x: F.elu(x, 0.7), "SELU": F.selu, "GELU": F.gelu, "GELUTanh": lambda x: F.gelu(x, approximate="tanh"),
    "SiLU": F.silu, "Mish": F.mish, "Softsign": F.softsign, "HardSigmoid": lambda x: F.relu6(x + 3) / 6,  # the derivative of hardsigmoid is that of float32
    "HardSwish": F.hardswish,
}
for name, f in ACTIVATIONS.items():
    case(name, f, ("plain", [7]))
    case(name, f, ("edges", [12]))  # the finite ones
    case(name, f, ("kinks", [9]))
for alphas in ([1], [3]):
    case("PReLU", F.prelu, ("plain", [2, 3, 2]), ("plain", alphas))
case("PReLU", F.prelu, ("edges", [12]), ("plain", [1]))

case("LayerNorm", lambda x, g, b: F.layer_norm(x, g.shape, g, b), ("plain", [3, 4]), ("plain", [4]), ("plain", [4]))
case("LayerNorm", lambda x, g, b: F.layer_norm(x, g.shape, g, b), ("plain", [2, 2, 3]), ("plain", [2, 3]), ("plain", [2, 3]))
for groups in (1, 2):
    case(f"GroupNorm of {groups}", lambda x, g, b: F.group_norm(x, groups, g, b), ("plain", [2, 4, 3]), ("plain", [4]), ("plain", [4]))
case("InstanceNorm", lambda x, g, b: F.instance_norm(x, weight=g, bias=b), ("plain", [2, 3, 2, 2]), ("plain", [3]), ("plain", [3]))

case("Gather 1", lambda x, i: torch.stack([x.index_select(1, row) for row in i], 1), ("plain", [2, 4, 3]), ("ids", [2, 5]))
case("GatherAlong 1", lambda x, i: x.gather(1, i), ("plain", [2, 3, 4]), ("ids", [2, 5, 4]))
case("Embedding", lambda w, i: F.embedding(i, w), ("plain", [3, 4]), ("ids", [2, 5]))
case("TopK 2 1", lambda x: x.topk(2, 1).values, ("plain", [2, 4, 3]))
case("CumSum 1", lambda x: x.cumsum(1), ("plain", [2, 4, 3]))

for size, alpha, beta, k in ((3, 1e-4, 0.75, 1.0), (5, 2.0, 0.5, 2.0)):
    within = lambda x: x * (k + alpha * F.avg_pool2d(x * x, size, 1, size // 2, count_include_pad=True)) ** -beta
    case(f"LRNWithinChannel {size} {alpha:g} {beta:g} {k:g}", within, ("plain", [2, 3, 4, 6]))

GATES = [("plain", [8, 3]), ("plain", [8, 2]), ("plain", [8]), ("plain", [8])]
case("LSTMCell", lambda x, h, c, *p: sum(torch._VF.lstm_cell(x, (h, c), *p)), ("plain", [4, 3]), ("plain", [4, 2]), ("plain", [4, 2]), *GATES)
lstm = lambda x, h, c, *p: torch._VF.lstm(x, (h[None], c[None]), p, True, 1, 0.0, True, False, True)[0]
case("LSTM", lstm, ("plain", [2, 5, 3]), ("plain", [2, 2]), ("plain", [2, 2]), *GATES)
GATES = [("plain", [6, 3]), ("plain", [6, 2]), ("plain", [6]), ("plain", [6])]
case("GRUCell", torch._VF.gru_cell, ("plain", [4, 3]), ("plain", [4, 2]), *GATES)
gru = lambda x, h, *p: torch._VF.gru(x, h[None], p, True, 1, 0.0, True, False, True)[0]
case("GRU", gru, ("plain", [2, 5, 3]), ("plain", [2, 2]), *GATES)

for spec, *shapes in (
    ("ij,jk->ik", [2, 3], [3, 4]), ("ij,jk", [2, 3], [3, 4]), ("ij->ji", [2, 3]), ("ba", [2, 3]), ("ij->", [2, 3]), ("ii", [3, 3]), ("ii->i", [3, 3]),
    ("iji->j", [3, 2, 3]), ("iii->i", [3, 3, 3]), ("i,i->", [4], [4]), ("i,j->ji", [2], [3]), ("i,i->i", [4], [4]), ("bij,bjk->bik", [2, 3, 4], [2, 4, 2]),
    ("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]), ("ij,kj,lk->il", [2, 3], [4, 3], [2, 4]), ("bn,anm,bm->ba", [2, 3], [4, 3, 2], [2, 2]),
    ("ik,jk->k", [2, 3], [4, 3]), ("aab,bc->ca", [2, 2, 3], [3, 2]), (",i->i", [], [3]), ("ij,ij", [2, 3], [2, 3]), ("i,i,i->", [3], [3], [3]),
    ("cij,oij->co", [2, 3, 2], [4, 3, 2]),
):
    case("Einsum " + spec, lambda *xs: torch.einsum(spec, *xs) + 0.0, *(("plain", s) for s in shapes))


def attention(q, k, v, mask=None, scale=None, causal=False):
    scores = q @ k.transpose(-2, -1) * (scale or q.shape[-1] ** -0.5)
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -math.inf)
    return scores.softmax(-1) @ v


QKV = [("plain", [2, 2, 4, 3]), ("plain", [2, 2, 5, 3]), ("plain", [2, 2, 5, 2])]
case("Attention", attention, *QKV)
case("Attention 2", lambda q, k, v: attention(q, k, v, scale=2), *QKV)
case("Attention causal", lambda q, k, v: attention(q, k, v, causal=True), *QKV)
case("Attention masked", attention, *QKV, ("ids", [4, 5]))
case("Attention", attention, ("large", [4, 3]), ("large", [5, 3]), ("plain", [5, 2]))

text = "[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n"
pathlib.Path(__file__).with_name("functions.json").write_text(text)
