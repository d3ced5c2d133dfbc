"""Exports networks of torchvision to ONNX, with inputs and what ONNX Runtime makes of them. For a detector see detector.py.

usage: exports.py OUT [NAME...]
"""
import os, sys, warnings

import numpy as np
import onnxruntime
import torch
import torchvision.models as models
from onnx import numpy_helper

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)
torch.backends.mha.set_fastpath_enabled(False)  # whose operator no exporter knows

NETWORKS = {
    "resnet18": (lambda: models.resnet18(), 224),
    "mobilenet_v3_small": (lambda: models.mobilenet_v3_small(), 224),
    "efficientnet_b0": (lambda: models.efficientnet_b0(), 224),
    "densenet121": (lambda: models.densenet121(), 224),
    "fcn_resnet50": (lambda: models.segmentation.fcn_resnet50(weights=None, weights_backbone=None), 128),
    "vit_b_16": (lambda: models.vit_b_16(), 224),
}


class First(torch.nn.Module):
    """The result "out" of a network that gives several by name."""

    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, x):
        y = self.m(x)
        return y["out"] if isinstance(y, dict) else y


def settled(m):
    """Gives batch normalisation statistics that are not its first ones, and heads a spread, as training would."""
    g = torch.Generator().manual_seed(3)
    for x in m.modules():
        if isinstance(x, torch.nn.BatchNorm2d):
            x.running_mean.copy_(torch.randn(x.running_mean.shape, generator=g) * 0.1)
            x.running_var.copy_(torch.rand(x.running_var.shape, generator=g) + 0.5)
    return m


def save(folder, kind, tensors):
    for k, (name, v) in enumerate(tensors):
        with open(os.path.join(folder, f"{kind}_{k}.pb"), "wb") as f:
            f.write(numpy_helper.from_array(np.asarray(v), name).SerializeToString())


def main(out, names):
    for name in names or NETWORKS:
        build, size = NETWORKS[name]
        torch.manual_seed(1)
        m = settled(First(build()).eval())
        x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2))
        for dynamo in (False, True):
            folder = os.path.join(out, name + ("-dynamo" if dynamo else ""))
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, "model.onnx")
            try:
                with torch.no_grad():
                    torch.onnx.export(m, (x,), path, dynamo=dynamo, verbose=False)
            except Exception as e:  # which torch.export raises for data-dependent extents
                print(name, "dynamo" if dynamo else "", "cannot be exported:", str(e).splitlines()[0][:200])
                os.rmdir(folder)
                continue
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            feed = {session.get_inputs()[0].name: x.numpy()}
            outputs = [o.name for o in session.get_outputs()]
            save(folder, "input", feed.items())
            save(folder, "output", zip(outputs, session.run(outputs, feed)))


with torch.no_grad():
    main(os.path.abspath(sys.argv[1]), sys.argv[2:])
