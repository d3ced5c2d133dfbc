"""Exports a detector of torchvision by both exporters of PyTorch, with what ONNX Runtime finds in some pictures.

usage: detector.py OUT
"""
import os, sys, warnings

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from onnx import numpy_helper

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)


class Suppression(torch.nn.Module):
    """The end of a detector, of which the compiler of PyTorch can make one graph: a fixed number of boxes of each class is suppressed."""

    def forward(self, boxes, scores):
        top, order = scores.max(dim=1).values.topk(50)
        classes = scores[order].argmax(dim=1)
        kept = torchvision.ops.batched_nms(boxes[order], top, classes, 0.5)
        return boxes[order][kept], top[kept], classes[kept]


def detector():
    torch.manual_seed(1)
    m = torchvision.models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21).eval()
    pictures = torch.nn.functional.interpolate(torch.rand(8, 3, 20, 20, generator=torch.Generator().manual_seed(3)), size=320)
    for x in m.modules():
        if isinstance(x, torch.nn.BatchNorm2d):  # with statistics of pictures, so that what follows depends on these
            x.reset_running_stats()
            x.momentum = None
            x.train()
    m.head(list(m.backbone(pictures).values()))
    m.eval()
    return m


def export(m, args, path, dynamo, names):
    try:
        torch.onnx.export(m, args, path, dynamo=dynamo, verbose=False, input_names=names)
        return True
    except Exception as e:
        print(path, "cannot be exported:", str(e).splitlines()[0][:200])
        return False


def main(out):
    r = np.random.default_rng(5)
    pictures = [(np.kron(r.random((1, 3, n, n)), np.ones((1, 1, 320 // n, 320 // n))).astype(np.float32),) for n in (5, 20, 40)]
    corner = r.random((3, 90, 2)).astype(np.float32) * 30
    ends = [(np.concatenate([c, c + 1 + 12 * r.random((90, 2))], 1).astype(np.float32), r.random((90, 4)).astype(np.float32)) for c in corner]
    for name, m, cases, names in (("ssdlite", detector(), pictures, ["x"]), ("suppression", Suppression(), ends, ["boxes", "scores"])):
        for dynamo in (False, True):
            folder = os.path.join(out, name + ("_dynamo" if dynamo else ""))
            os.makedirs(folder)
            path = os.path.join(folder, "model.onnx")
            if not export(m, tuple(torch.tensor(v) for v in cases[0]), path, dynamo, names):
                os.rmdir(folder)
                continue
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            for k, case in enumerate(cases):
                data = os.path.join(folder, f"test_data_set_{k}")
                os.makedirs(data)
                feed = {i.name: v for i, v in zip(session.get_inputs(), case)}
                for what, values in (("input", case), ("output", session.run(None, feed))):
                    for i, v in enumerate(values):
                        with open(os.path.join(data, f"{what}_{i}.pb"), "wb") as f:
                            f.write(numpy_helper.from_array(v).SerializeToString())


with torch.no_grad():
    main(sys.argv[1])
