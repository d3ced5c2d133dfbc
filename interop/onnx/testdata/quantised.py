"""Quantises networks of torchvision by ONNX Runtime's tool, with inputs and what ONNX Runtime makes of them.

usage: quantised.py OUT

Each folder of OUT has model.onnx, input_0.pb, output_0.pb of the quantised network and float_0.pb of the one in float32.
"""
import os, sys, warnings

import onnxruntime
import torch
import torchvision.models as models
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)


class Images(CalibrationDataReader):
    def __init__(self, images):
        self.rest = iter([{"x": x} for x in images])

    def get_next(self):
        return next(self.rest, None)


def save(path, name, v):
    with open(path, "wb") as f:
        f.write(numpy_helper.from_array(v, name).SerializeToString())


def run(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.get_outputs()[0].name, session.run(None, {"x": x})[0]


def main(out):
    for name, signed in (("resnet18", False), ("mobilenet_v2", True)):
        torch.manual_seed(1)
        m = getattr(models, name)().eval()
        images = [torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(k)).numpy() for k in range(4)]
        folder = os.path.join(out, name)
        os.makedirs(folder)
        plain, path = os.path.join(folder, "float.onnx"), os.path.join(folder, "model.onnx")
        torch.onnx.export(m, (torch.from_numpy(images[0]),), plain, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}})
        quant_pre_process(plain, plain)
        kind = QuantType.QInt8 if signed else QuantType.QUInt8
        quantize_static(plain, path, Images(images), quant_format=QuantFormat.QDQ, activation_type=kind, weight_type=QuantType.QInt8, per_channel=True)
        save(os.path.join(folder, "input_0.pb"), "x", images[0])
        for file, model in (("float_0.pb", plain), ("output_0.pb", path)):
            save(os.path.join(folder, file), *run(model, images[0]))


main(os.path.abspath(sys.argv[1]))
