#!/usr/bin/env python3
"""Times inference in 8-bit integers by Plexaura and by ONNX Runtime in turn, and compares their errors.

usage: int8.py [-case NAME]... [-demo PROGRAM] [-rounds N] [-threads N]

Run it in the root of the repository, with torchvision, onnx and onnxruntime in Python. Both sides calibrate by the least
and largest numbers that the image of the case gives, with uint8 activations, and int8 weights with a scale for each output channel.
ONNX Runtime is the faster of its formats, QDQ and QOperator. An error is the distance of the logits in 8-bit integers from
those of the same runtime in float32, relative to the length of these. A round is some seconds of ours, then of theirs; times
are the least means of 100 ms.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime as ort
import torch
import torchvision
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

NETWORKS = {"resnet18": "resnet18", "resnet50": "resnet50", "mobilenetv2": "mobilenet_v2", "squeezenet": "squeezenet1_1", "vgg16": "vgg16"}


def counter(shape, p, scale):
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    return ((((i * 7919 + p * 131) % 1009).astype(np.float64) / 504.5 - 1) * scale).astype(np.float32).reshape(shape)


def network(name):
    """The network of torchvision with the values of demo bench."""
    net = getattr(torchvision.models, NETWORKS[name])()
    norms = {id(m.weight) for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    with torch.no_grad():
        for p, w in enumerate(net.parameters()):
            v = torch.from_numpy(counter(tuple(w.shape), p, w[0].numel() ** -0.5 if w.dim() > 1 else 0.1))
            w.copy_(1 + v if id(w) in norms else v)
    return net.eval()


class Image(CalibrationDataReader):
    def __init__(self, x):
        self.rest = iter([{"x": x}])

    def get_next(self):
        return next(self.rest, None)


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # else its threads wait by looping while the other side has its turn
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def timed(run, budget=4.0, block=0.1):
    """The least mean of blocks of runs, in ms, as demo bench has it."""
    for _ in range(3):
        run()
    at = time.perf_counter()
    run()
    runs = max(1, int(block / (time.perf_counter() - at)))
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < budget and len(times) < 25:
        at = time.perf_counter()
        for _ in range(runs):
            run()
        times.append(1e3 * (time.perf_counter() - at) / runs)
    return min(times)


def distance(got, want):
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def theirs(case, folder, threads):
    """A function for each format that runs the case, and its error."""
    name, _, batch = case.split("/")
    x = counter((int(batch), 3, 224, 224), 1000, 1)
    full, ready = folder / f"{name}.onnx", folder / f"{name}-ready.onnx"
    torch.onnx.export(network(name), torch.from_numpy(x), str(full), opset_version=13, input_names=["x"], output_names=["y"], dynamo=False)
    quant_pre_process(str(full), str(ready))
    want = session(ready, threads).run(None, {"x": x})[0]
    forms = {}
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        path = folder / f"{name}-{form}.onnx"
        quantize_static(str(ready), str(path), Image(x), quant_format=form, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        s = session(path, threads)
        forms[str(form)] = (lambda s=s: s.run(None, {"x": x})[0])
    return {form: (run, distance(run(), want)) for form, run in forms.items()}


def main():
    flags = argparse.ArgumentParser(prefix_chars="-")
    flags.add_argument("-case", action="append")
    flags.add_argument("-demo")
    flags.add_argument("-rounds", type=int, default=3)
    flags.add_argument("-threads", type=int, default=1)
    args = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        demo = args.demo or str(folder / "demo")
        if not args.demo:
            subprocess.run(["go", "build", "-o", demo, "./cmd/demo"], check=True)
        print(f"{'case':<20} {'ours, ms':>9} {'theirs':>9} {'ratio':>6} {'our error':>10} {'theirs':>10}")
        for case in args.case or ["resnet50/infer/1", "mobilenetv2/infer/1"]:
            forms = theirs(case, folder, args.threads)
            ours, their, error = [], {form: [] for form in forms}, 0
            for _ in range(args.rounds):
                command = [demo, "bench", "-json", "-int8", "-threads", str(args.threads), "-case", case]
                row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                ours.append(row["min"])
                error = row["error"]
                for form, (run, _) in forms.items():
                    their[form].append(timed(run))
            best = min(their, key=lambda form: min(their[form]))
            print(f"{case:<20} {min(ours):9.2f} {min(their[best]):9.2f} {min(their[best]) / min(ours):6.2f} {error:10.4f} {forms[best][1]:10.4f}  {best}", flush=True)


if __name__ == "__main__":
    main()
