#!/usr/bin/env python3
"""Computes configurations that the command internal/parity/random draws, until its input ends.

A request is a line of JSON and after it the numbers of all inputs, one after the other:

    {"inputs": [{"dtype", "shape", "near"}], "steps": [{"op", "attrs", "in"}], "leaves", "order", "dy", "wrt", "by", "samples", "flush"}

Values are counted, first so many inputs as there are leaves, then the result of each step; the last is y. Order 0 asks for
y; order 1 for the gradients of sum(dy*y) by the inputs wrt as well, where dy is the input of that
number; order 2 for those of the sum of all by[i]*gradient[i] too. Floating point is float64 in
requests and answers. With flush PyTorch takes denormals for zeros, where the processor can.

The answer is a line {"outs": [shape], "missing": reason}, or {"error"}, and then for each output
four times as many float64 as it has elements: PyTorch's result in float64; that in float32; how far
PyTorch's float32 is off, the most that it differs from its float64, from these inputs and from
"samples" others, in which those marked "near" differ by a unit in the last place of float32; and
the most that these differences change the result in float64. There are outputs of a lower order than
asked for where PyTorch lacks a derivative; "missing" is what it says.

With --conventions it prints a line for each row of CONVENTIONS instead: the name, and whether
PyTorch's own function differs from ours, in the result or a derivative.
"""
import json
import math
import sys

import numpy
import torch

from functions import CONVENTIONS, FUNCTIONS, PYTORCH

torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False  # it prepares kernels for each new shape, which takes longer than the work

DTYPES = {"float64": "<f8", "int32": "<i4", "int64": "<i8", "uint8": "u1", "bool": "?"}


def received(specs):
    """The inputs of a request."""
    for spec in specs:
        dtype = numpy.dtype(DTYPES[spec["dtype"]])
        data = sys.stdin.buffer.read(math.prod(spec["shape"]) * dtype.itemsize)
        yield torch.from_numpy(numpy.frombuffer(data, dtype).copy().reshape(spec["shape"]))


def computed(request, inputs, dtype, order):
    """The outputs, with floating point of a type."""
    xs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    wrt = [xs[i].requires_grad_() for i in request["wrt"]] if order else []
    values = xs[:request["leaves"]]
    for step in request["steps"]:
        values.append(FUNCTIONS[step["op"]](*(values[i] for i in step["in"]), **step["attrs"]))
    y = values[-1]
    outs = [y]
    if order and wrt:
        grads = derivatives(y, wrt, xs[request["dy"]], order == 2)
        outs += grads
    if order == 2 and wrt:
        terms = [(g * xs[i]).sum() for i, g in zip(request["by"], grads) if g.requires_grad]
        outs += derivatives(sum(terms), wrt, None, False) if terms else [torch.zeros_like(x) for x in wrt]
    return [out.detach().to(torch.float64) for out in outs]


def derivatives(y, wrt, dy, again):
    if not y.requires_grad:
        return [torch.zeros_like(x) for x in wrt]
    return list(torch.autograd.grad(y, wrt, dy, create_graph=again, allow_unused=True, materialize_grads=True))


def neighbour(specs, inputs, generator):
    """Inputs of which those marked near differ in the last place of float32."""
    def moved(x):
        steps = torch.randint(-1, 2, x.shape, generator=generator)
        return (x * (1 + steps * 2.0 ** -23)).to(torch.float32).to(torch.float64)
    return [moved(x) if spec["near"] else x for spec, x in zip(specs, inputs)]


def apart(a, b):
    """How far a is from b, element by element: 0 where both are alike, infinite where one is not finite."""
    b = b.to(torch.float32).to(torch.float64) if b.abs().max() > torch.finfo(torch.float32).max else b
    alike = (a == b) | (a.isnan() & b.isnan())
    return torch.where(alike, 0.0, (a - b).abs().nan_to_num(math.inf, math.inf))


def answer(request, inputs, order):
    exact = computed(request, inputs, torch.float64, order)
    single = computed(request, inputs, torch.float32, order)
    off = [apart(s, e) for s, e in zip(single, exact)]
    moved = [torch.zeros_like(e) for e in exact]
    generator = torch.Generator().manual_seed(0)
    for _ in range(request["samples"]):
        beside = neighbour(request["inputs"], inputs, generator)
        theirs = computed(request, beside, torch.float64, order)
        for i, (e, s) in enumerate(zip(theirs, computed(request, beside, torch.float32, order))):
            off[i] = torch.maximum(off[i], apart(s, e))
            moved[i] = torch.maximum(moved[i], apart(exact[i], e))
    return exact, single, off, moved


def send(head, tensors=()):
    sys.stdout.buffer.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
    for t in tensors:
        sys.stdout.buffer.write(t.numpy(force=True).astype("<f8", copy=False).tobytes())
    sys.stdout.buffer.flush()


def serve():
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        inputs = list(received(request["inputs"]))
        missing = ""
        torch.set_flush_denormal(request["flush"])
        for order in range(request["order"], -1, -1):
            try:
                results = answer(request, inputs, order)
            except Exception as e:  # what PyTorch refuses is part of the answer
                missing = str(e).partition("\n")[0]
                if order == 0 or "derivative" not in missing and "differentiable" not in missing:
                    send({"error": f"{type(e).__name__}: {missing}"})
                    break
                continue
            send({"outs": [list(e.shape) for e in results[0]], "missing": missing}, [t for four in zip(*results) for t in four])
            break


def differs(name, call):
    op, ours, _ = CONVENTIONS[name]

    def outcome(f):
        xs, y = call(f)
        slope = derivatives(y.sum(), xs, None, True)
        return torch.cat([y, *slope, *derivatives(slope[0].sum(), xs, None, False)])
    a, b = outcome(PYTORCH[op]), outcome(ours)
    return not torch.equal(a.nan_to_num(math.pi), b.nan_to_num(math.pi))


if __name__ == "__main__":
    if "--conventions" in sys.argv:
        for name, (_, _, call) in CONVENTIONS.items():
            print(name, differs(name, call), sep="\t")
    else:
        serve()
