#!/usr/bin/env python3
"""Times networks of torchvision by Plexaura and by ONNX Runtime in turn: those that no kernel was tuned for.

usage: networks.py [-demo PROGRAM] [-threads N] [-rounds N] [-folder DIR] [-table FILE] [NETWORK...]

Run it in the root of the repository. PyTorch writes each network, with weights from its seed, to an ONNX file in DIR, where it
stays; `demo onnx bench` times the file, one image at a time.
"""
import argparse
import os
import re
import subprocess
import tempfile

import torch
import torchvision

NETWORKS = ["alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3", "mnasnet1_0", "mobilenet_v2",
            "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d",
            "shufflenet_v2_x1_0", "squeezenet1_1", "vgg11_bn", "vit_b_32", "wide_resnet50_2"]


def export(name, folder):
    """Returns the network's ONNX file, which it writes unless it is there."""
    path = os.path.join(folder, f"{name}-torchvision{torchvision.__version__.split('+')[0]}.onnx")
    if os.path.exists(path):
        return path
    torch.manual_seed(1)
    more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    net = getattr(torchvision.models, name)(weights=None, **more).eval()
    side = 299 if name == "inception_v3" else 224
    torch.onnx.export(net, torch.zeros(1, 3, side, side), path + ".part", dynamo=False, opset_version=17)
    os.replace(path + ".part", path)
    return path


def times(demo, path, threads, rounds):
    """Returns the median ms of both sides."""
    out = subprocess.run([demo, "onnx", "bench", "-threads", str(threads), "-rounds", str(rounds), path], stdout=subprocess.PIPE, text=True, check=True).stdout
    medians = re.findall(r"^(?:plexaura|ONNX Runtime \S+) +([\d.e+-]+) ", out, re.M)
    if len(medians) != 2:
        raise SystemExit(f"networks.py: no two sides in\n{out}")
    return [float(m) for m in medians]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    a.add_argument("-demo")
    a.add_argument("-threads", type=int, default=2)
    a.add_argument("-rounds", type=int, default=9)
    a.add_argument("-folder", default=os.path.join(tempfile.gettempdir(), "networks"))
    a.add_argument("-table")
    a = a.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as tmp:
        demo = a.demo or os.path.join(tmp, "demo")
        if not a.demo:
            subprocess.run(["go", "build", "-o", demo, "./cmd/demo"], check=True)
        files = [(n, export(n, a.folder)) for n in a.networks]
        lines = [f"| network of torchvision, {a.threads} threads | ours, ms | ONNX Runtime, ms | ONNX Runtime / ours |", "|---|---|---|---|"]
        for name, path in files:
            ours, theirs = times(demo, path, a.threads, a.rounds)
            lines.append(f"| {name} | {ours:.4g} | {theirs:.4g} | {theirs / ours:.2f} |")
            print(f"{name:20} ours {ours:8.4g} ms   ONNX Runtime {theirs:8.4g} ms   {theirs / ours:.2f}", flush=True)
    if a.table:
        with open(a.table, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
