#!/usr/bin/env python3
"""The other side of the comparison of serveload.

    peer.py make DIR              # needs torch, torchvision, onnx, safetensors
    peer.py serve FILE.onnx PORT  # needs fastapi, uvicorn, onnxruntime, numpy

make writes lenet and resnet18 with seeded weights: NAME.safetensors for
"demo serve -model NAME -weights NAME=FILE", and NAME.onnx for serve, which answers the same requests
of the Open Inference Protocol with bytes, one at a time in the threads of FastAPI.
"""
import json
import sys
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


if __name__ == "__main__":
    {"make": make, "serve": serve}[sys.argv[1]](*sys.argv[2:])
