#!/usr/bin/env python3
"""Times inference with small weights against PyTorch and ONNX Runtime in float32, in turn.

    go build -o demo ./cmd/demo && python3 internal/parity/pytorch/weights.py ./demo [-rounds 5] [-threads 2] [alexnet/infer/1 ...]

Each round runs `demo bench -case CASE -weights-type TYPE` for every type and each peer, in the same minutes. A line a type gives the
medians and the median over rounds of best peer's time / ours. All start from the values of demo bench; the mean magnitude of the logits has
to agree. Needs torch and torchvision; ONNX Runtime takes part if it and onnx are installed.
"""
import argparse
import importlib.util
import io
import json
import statistics
import subprocess
import sys
import time

import numpy
import torch
import torchvision

TYPES = ["float32", "bfloat16", "int8"]
NETS = {"alexnet": "alexnet", "resnet18": "resnet18", "resnet50": "resnet50", "mobilenetv2": "mobilenet_v2", "squeezenet": "squeezenet1_1",
        "vgg16": "vgg16"}


def counter(shape, p, scale):
    """The values of parameter p in demo bench."""
    i = numpy.arange(int(numpy.prod(shape)), dtype=numpy.int64)
    v = (((i * 7919 + p * 131) % 1009) / 504.5 - 1) * scale
    return torch.from_numpy(v.astype(numpy.float32).reshape(shape))


def network(name):
    net = getattr(torchvision.models, NETS[name])().eval()
    norms = {id(m.weight) for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    with torch.no_grad():
        for p, w in enumerate(net.parameters()):
            v = counter(tuple(w.shape), p, w[0].numel() ** -0.5 if w.dim() > 1 else 0.1)
            w.copy_(1 + v if id(w) in norms else v)
    return net


def steps(case, threads):
    """The peers by name, each a function that returns logits."""
    name, _, n = case.split("/")
    net, x = network(name), counter((int(n), 3, 224, 224), 1000, 1)
    last, y = network(name).to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    peers = {"PyTorch": lambda: net(x).numpy(), "PyTorch, channels last": lambda: last(y).numpy()}
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        import onnxruntime
        exported = io.BytesIO()
        torch.onnx.export(net, (x,), exported, input_names=["x"], dynamo=False)
        o = onnxruntime.SessionOptions()
        o.intra_op_num_threads = threads
        o.add_session_config_entry("session.force_spinning_stop", "1")  # else its threads wait by looping while the other side has its turn
        session = onnxruntime.InferenceSession(exported.getvalue(), o, providers=["CPUExecutionProvider"])
        peers["ONNX Runtime"] = lambda: session.run(None, {"x": x.numpy()})[0]
    return peers


def measure(step):
    """The median time of a step in ms, of about two seconds."""
    for _ in range(3):
        step()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < 2 or len(times) < 5:
        t = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - t))
    return statistics.median(times)


def ours(demo, case, weights, threads):
    out = subprocess.run([demo, "bench", "-json", "-case", case, "-weights-type", weights, "-threads", str(threads)],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def compare(demo, case, rounds, threads):
    peers = steps(case, threads)
    times, ratios = {}, {t: [] for t in TYPES}
    for _ in range(rounds):
        best = None
        for name, step in peers.items():
            ms = measure(step)
            times.setdefault(name, []).append(ms)
            best = min(best or ms, ms)
        size = float(numpy.abs(step()).mean())
        for t in TYPES:
            r = ours(demo, case, t, threads)
            if abs(r["check"] - size) > 1e-2 * size:
                sys.exit(f"{case}, {t}: not the same work: {r['check']}, and {size} for {name}")
            times.setdefault(t, []).append(r["ms"])
            ratios[t].append(best / r["ms"])
    for name in peers:
        print(f"{case:20} {name:24} {statistics.median(times[name]):9.3f} ms")
    for t in TYPES:
        print(f"{case:20} weights in {t:13} {statistics.median(times[t]):9.3f} ms   best peer / ours {statistics.median(ratios[t]):5.2f}"
              f"  [{min(ratios[t]):.2f}-{max(ratios[t]):.2f}]", flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("demo")
    a.add_argument("cases", nargs="*", default=["alexnet/infer/1"])
    a.add_argument("-rounds", type=int, default=5)
    a.add_argument("-threads", type=int, default=2)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    with torch.inference_mode():
        for case in a.cases:
            compare(a.demo, case, a.rounds, a.threads)


main()
