"""Checks and runs models by ONNX Runtime.

Each line of the standard input names a folder with model.onnx and input_0.pb, input_1.pb and so on, one for each input of the
model. Its outputs go to output_0.pb and so on; an error goes to error.txt.
"""
import glob, os, sys

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper

onnxruntime.set_default_logger_severity(4)


def tensor(path):
    t = onnx.TensorProto()
    with open(path, "rb") as f:
        t.ParseFromString(f.read())
    return numpy_helper.to_array(t)


def run(folder):
    path = os.path.join(folder, "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {x.name: tensor(os.path.join(folder, f"input_{i}.pb")) for i, x in enumerate(session.get_inputs())}
    for i, y in enumerate(session.run(None, feeds)):
        with open(os.path.join(folder, f"output_{i}.pb"), "wb") as f:
            f.write(numpy_helper.from_array(numpy.asarray(y)).SerializeToString())


for line in sys.stdin:
    folder = line.rstrip("\n")
    try:
        run(folder)
    except Exception as e:  # which the test shows
        with open(os.path.join(folder, "error.txt"), "w") as f:
            f.write(str(e))
