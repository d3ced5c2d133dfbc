#!/usr/bin/env python3
"""The other side of the comparison of serveload.

    peer.py make DIR                    # needs torch, torchvision, onnx, safetensors
    peer.py serve FILE.onnx PORT        # needs fastapi, uvicorn, onnxruntime, numpy
    peer.py compare DIR NAME [ROUNDS [TIME [CLIENTS]]]

make writes lenet and resnet18 with seeded weights: NAME.safetensors for
"demo serve -model NAME -weights NAME=FILE", and NAME.onnx for "demo serve -onnx" and for serve, which
answers the same requests of the Open Inference Protocol with bytes, one at a time in the threads of
FastAPI. compare, run in the folder of the repository, makes them unless they are in DIR, has serveload ask
demo serve with the weights, with the ONNX file, and without batches, and FastAPI, in turn, and prints a
table: of requests a second the best round with its p99, of the server's processor time a request the
median.
"""
import json
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


def make(folder):
    import torch
    from safetensors.torch import save_file
    from torch import nn
    from torchvision.models import resnet18

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x):
            x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
            x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
            x = torch.relu(self.fc2(torch.relu(self.fc1(x.flatten(1)))))
            return self.fc3(x)

    class WithProbabilities(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            y = self.net(x)
            return y, y.softmax(1)

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, net, shape in ("lenet", LeNet, (1, 28, 28)), ("resnet18", resnet18, (3, 224, 224)):
        torch.manual_seed(1)
        net = net().eval()
        save_file(net.state_dict(), folder / f"{name}.safetensors")
        torch.onnx.export(WithProbabilities(net), torch.zeros(1, *shape), folder / f"{name}.onnx", dynamo=False, opset_version=17,
                          input_names=["input"], output_names=["output", "probabilities"],
                          dynamic_axes={n: {0: "n"} for n in ("input", "output", "probabilities")})


def serve(file, port):
    import numpy as np
    import onnxruntime as ort
    import uvicorn
    from fastapi import FastAPI, Request, Response
    from starlette.concurrency import run_in_threadpool

    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    name, x = Path(file).stem, session.get_inputs()[0]
    row = [d for d in x.shape[1:]]
    app = FastAPI()

    @app.get("/v2/models/" + name)
    def metadata():
        return {"name": name, "inputs": [{"name": x.name, "datatype": "FP32", "shape": [-1, *row]}]}

    @app.post(f"/v2/models/{name}/infer")
    async def infer(request: Request):
        body = await request.body()
        header = int(request.headers["inference-header-content-length"])
        wanted = json.loads(body[:header])["inputs"][0]
        values = np.frombuffer(body, np.float32, offset=header).reshape(wanted["shape"])
        results = await run_in_threadpool(session.run, None, {x.name: values})
        outputs = [{"name": o.name, "datatype": "FP32", "shape": list(r.shape), "parameters": {"binary_data_size": r.nbytes}}
                   for o, r in zip(session.get_outputs(), results)]
        head = json.dumps({"model_name": name, "outputs": outputs}).encode()
        return Response(head + b"".join(r.tobytes() for r in results), media_type="application/octet-stream",
                        headers={"Inference-Header-Content-Length": str(len(head))})

    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def processor_time(pid):
    """Seconds of user and system time of a process, all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def wait_for(url, server):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"the server ended with status {server.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing answers at {url}")


def ask(command, port, name, load):
    """Starts a server and returns requests a second, p99 in ms, and ms of processor time a request."""
    server = subprocess.Popen([a.replace("PORT", str(port)) for a in command], stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/v2/models/{name}", server)
        before = processor_time(server.pid)
        out = subprocess.run([*load, "-url", url, "-model", name], stdout=subprocess.PIPE, text=True, check=True).stdout
        used = processor_time(server.pid) - before
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
    rate, p99, failed = re.match(r"(\d+) requests/s, .* p99 ([\d.]+) ms, (\d+) failed", out).groups()
    if failed != "0":
        sys.exit(f"{' '.join(command)}: {out}")
    seconds = float(load[load.index("-time") + 1].rstrip("s")) * 1.1  # a tenth of it does not count
    return float(rate), float(p99), 1e3 * used / (float(rate) * seconds)


def compare(folder, name, rounds="5", length="5s", clients="64"):
    folder = Path(folder)
    if not (folder / f"{name}.onnx").exists():
        make(folder)
    with tempfile.TemporaryDirectory() as programs:
        subprocess.run(["go", "build", "-o", programs, "./cmd/demo", "./internal/serveload"], check=True)
        load = [f"{programs}/serveload", "-clients", clients, "-time", length]
        demo = [f"{programs}/demo", "serve", "-addr", ":PORT"]
        weights = ["-model", name, "-weights", f"{name}={folder}/{name}.safetensors"]
        onnx = ["-onnx", f"{folder}/{name}.onnx"]
        one = ["-max-batch", "1", "-delay", "0"]
        servers = {
            "demo serve -weights": demo + weights,
            "demo serve -onnx": demo + onnx,
            "demo serve -weights -max-batch 1": demo + weights + one,
            "demo serve -onnx -max-batch 1": demo + onnx + one,
            "FastAPI, ONNX Runtime": [sys.executable, __file__, "serve", f"{folder}/{name}.onnx", "PORT"],
        }
        results = {s: [] for s in servers}
        for _ in range(int(rounds)):
            for s, command in servers.items():
                results[s].append(ask(command, free_port(), name, load))
    print(f"| {clients} clients, {name} | requests/s | p99, ms | processor time a request, ms |\n|---|---|---|---|")
    for s, all_ in results.items():
        rate, p99, _ = max(all_)
        print(f"| {s} | {rate:.0f} | {p99:.1f} | {statistics.median(r[2] for r in all_):.3g} |")


if __name__ == "__main__":
    {"make": make, "serve": serve, "compare": compare}[sys.argv[1]](*sys.argv[2:])
