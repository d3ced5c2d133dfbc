#!/usr/bin/env python3
"""Times single ops of Plexaura and of PyTorch in turn, and prints how many times as long PyTorch takes.

usage: ops.py [-case REGEXP] [-demo PROGRAM] [-rounds N] [-table FILE] [-want RATIO] [-check]

Run it in the root of the repository. The cases are those of `demo bench -ops`, which lists them; what a function is in
PyTorch stands in ../parity/pytorch/functions.py. Both sides use one thread. A round is a block of runs of ours, then one of
PyTorch's; the ratio of a case is the median over the rounds. A case whose check values do not agree is refused.

-table writes a Markdown table with a line for each row: its least ratio, forward and with gradients, with the case and times.
-want exits 1 if a case is below it. -check compares the check values only.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity" / "pytorch"))
from functions import PYTORCH  # noqa: E402  PyTorch's own functions

# Functions of which PyTorch has a faster form than the one that results are compared with.
FASTER = {
    "Attention": lambda q, k, v, mask=None, Causal=False: F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=Causal),
    "BatchNorm": lambda x, g, b, m, v, Part: F.batch_norm(x, m, v, g, b, training=True, eps=1e-5),
}
LEAST = 0.01  # seconds of a block


def counter(p, n):
    i = torch.arange(n, dtype=torch.int64)
    return (7919 * i + 131 * p) % 1009


def numbers(p, spec, first, dtype):
    """Input p, as case.go makes it."""
    kind, size = spec["kind"], spec["shape"]
    n = torch.Size(size).numel()
    if kind == "ids":
        return (counter(p, n) % min(first)).reshape(size)
    if kind == "mask":
        return (counter(p, n) % 3 != 0).reshape(size)
    scale, shift = {"positive": (0.5, 0.75), "wide": (20, 0), "state": (0.1, 1)}.get(kind, (1, 0))
    if kind == "param":
        scale, shift = (1 / (n // size[0]) ** 0.5, 0) if len(size) > 1 else (0.1, 1)
    v = ((counter(p, n).to(torch.float64) / 504.5 - 1) * scale).to(torch.float32).to(torch.float64) + shift
    return v.to(torch.float32).to(dtype).reshape(size)


class Twin:
    """A case in PyTorch."""

    def __init__(self, case):
        dtype = getattr(torch, case["dtype"])
        self.xs = [numbers(p, spec, case["in"][0]["shape"], dtype) for p, spec in enumerate(case["in"])]
        self.f, self.attrs = FASTER.get(case["op"], PYTORCH[case["op"]]), case["attrs"]
        self.wrt = []
        if case["grad"]:
            self.wrt = [x.requires_grad_() for x, spec in zip(self.xs, case["in"]) if spec["kind"] not in ("images", "state", "ids", "mask")]
        y = self.once()[0]
        self.dy = (counter(7, y.numel()).to(torch.float64) / 504.5 - 1).to(torch.float32).to(dtype).reshape(y.shape)

    def once(self):
        if not self.wrt:
            with torch.inference_mode():
                return [self.f(*self.xs, **self.attrs).contiguous()]
        y = self.f(*self.xs, **self.attrs)
        dy = getattr(self, "dy", None)
        outs = [y.detach(), *(torch.autograd.grad(y, self.wrt, dy) if dy is not None else ())]
        return [out.contiguous() for out in outs]

    def check(self):
        total = 0.0
        for out in self.once():
            v = out.to(torch.float64).flatten().abs()
            total += (v * (1 + (torch.arange(v.numel()) % 13) / 13)).mean().item()
        return total

    def block(self):
        start, n = time.perf_counter(), 0
        while True:
            self.once()
            n += 1
            spent = time.perf_counter() - start
            if spent >= LEAST:
                return spent * 1e3 / n


class Ours:
    """`demo bench -ops`, which times a case for each line."""

    def __init__(self, demo):
        self.demo = demo
        self.process = subprocess.Popen([demo, "bench", "-ops", "-ops-mode", "turns"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def cases(self, pattern):
        out = subprocess.run([self.demo, "bench", "-ops", "-ops-mode", "list", "-case", pattern], stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in out.stdout.splitlines()]

    def block(self, name):
        self.process.stdin.write(name + "\n")
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{name}: demo bench ended")
        return json.loads(line)


def compare(ours, case, rounds):
    """The median times and the median of their ratios."""
    name, twin = case["name"], Twin(case)
    first = ours.block(name)
    theirs = twin.check()
    if not abs(first["check"] - theirs) <= 1e-3 * abs(theirs):
        return {"name": name, "refused": f"check is {first['check']:.6g}, PyTorch's {theirs:.6g}"}
    result = {"name": name, "row": case["row"], "grad": case["grad"]}
    if not rounds:
        return result
    twin.block()
    pairs = [(ours.block(name)["ms"], twin.block()) for _ in range(rounds)]
    result["ours"], result["theirs"] = (statistics.median(times) for times in zip(*pairs))
    result["ratio"] = statistics.median(t / o for o, t in pairs)
    return result


def table(results):
    """A line for each row of the table, with its least ratios."""
    lines = ["| op | PyTorch / ours | at | ours, ms | with gradients | at | ours, ms |", "|---|---|---|---|---|---|---|"]
    rows = dict.fromkeys(r["row"] for r in results)
    for row in rows:
        cells = [row]
        for grad in (False, True):
            of = [r for r in results if r["row"] == row and r["grad"] == grad]
            if not of:
                cells += [""] * 3
                continue
            least = min(of, key=lambda r: r["ratio"])
            extents = least["name"].split("/", 1)[1].rsplit("/", 1)[0].replace("/", ", ")
            cells += [f"{least['ratio']:.2f}", extents, f"{least['ours']:.3g}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("-case", default="")
    a.add_argument("-demo")
    a.add_argument("-rounds", type=int, default=7)
    a.add_argument("-table")
    a.add_argument("-want", type=float, default=0)
    a.add_argument("-check", action="store_true")
    a = a.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if not a.demo:
            a.demo = str(pathlib.Path(folder) / "demo")
            subprocess.run(["go", "build", "-o", a.demo, "./cmd/demo"], check=True)
        ours, results, bad = Ours(a.demo), [], False
        for case in ours.cases(a.case):
            r = compare(ours, case, 0 if a.check else a.rounds)
            if "refused" in r:
                print(f"{r['name']:60} not the same work: {r['refused']}", flush=True)
                bad = True
                continue
            results.append(r)
            if not a.check:
                print(f"{r['name']:60} ours {r['ours']:9.4f} ms   PyTorch {r['theirs']:9.4f} ms   {r['ratio']:6.2f}", flush=True)
                bad |= r["ratio"] < a.want
        if a.check:
            print(len(results), "cases agree")
        elif a.table:
            pathlib.Path(a.table).write_text(table(results))
        sys.exit(bad)


if __name__ == "__main__":
    main()
