"""Prepares inputs for networks, and what ONNX Runtime makes of them.

usage: networks.py DIR OUT

DIR has the networks below. For each case, a folder of OUT has a file "model" with the path of the network, input_NAME.pb for each input and
output_NAME.pb for each output, where NAME has no characters that files cannot have: it is the place in the list.
"""
import os, sys

import numpy as np
import onnxruntime
from onnx import numpy_helper
from PIL import Image, ImageDraw, ImageFont

onnxruntime.set_default_logger_severity(4)


def text(line, width, height, size=28, skew=0):
    """A picture of a line of text, as cameras and scanners see it: grey, with noise, not quite straight."""
    image = Image.new("RGB", (width, height), (228, 226, 220))
    draw = ImageDraw.Draw(image)
    draw.text((8, height // 2 - size // 2), line, fill=(40, 36, 44), font=ImageFont.load_default(size))
    image = image.rotate(skew, fillcolor=(228, 226, 220))
    noise = np.random.default_rng(1).normal(0, 6, (height, width, 3))
    return np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.float32)


def planes(image, mean, std, scale=1 / 255):
    return (((image * scale) - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)


def speech(samples, rate):
    """A buzz with the formants of vowels, in syllables."""
    t = np.arange(samples) / rate
    voice = sum(np.sin(2 * np.pi * 120 * k * t) * np.exp(-((120 * k - 700) / 400) ** 2) for k in range(1, 30))
    return (0.3 * voice * (np.sin(2 * np.pi * 4 * t) > -0.2) + 0.01 * np.random.default_rng(2).normal(size=samples)).astype(np.float32)


def cases():
    half = np.array([0.5, 0.5, 0.5], np.float32)
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    for line in ("Total 42.50", "invoice 2026"):
        yield "ch_ppocr_mobile_v2.0_cls_infer", {"x": planes(text(line, 192, 48), half, half)}
    for size in ((320, 192), (480, 224)):
        yield "ch_PP-OCRv4_det_infer", {"x": planes(text("Total 42.50", *size, skew=3), mean, std)}
    for line, width in (("Total 42.50", 320), ("invoice of November", 416)):
        yield "ch_PP-OCRv4_rec_infer", {"x": planes(text(line, width, 48), half, half)}
    yield "open-nsfw", {"input:0": (text("a beach", 224, 224, 40)[None][..., ::-1] - np.array([104, 117, 123])).astype(np.float32)}
    yield "common_det", {"images": text("w7Kx", 416, 416, 90).transpose(2, 0, 1)[None]}
    for line, width in (("w7Kx", 160), ("9fRt2m", 220)):
        grey = text(line, width, 64, 44).mean(axis=2) / 255
        yield "common", {"input1": (grey[None, None] - 0.456) / 0.224}
        yield "common_old", {"input1": (grey[None, None] - 0.5) / 0.5}
    with open(__file__, "rb") as f:
        source = f.read()
    piece = list(source[:1024]) + list(source[-1024:])
    yield "model", {"bytes": np.array([piece, [256] * 2048], np.int32)}
    for rate, size in ((16000, 512 + 64), (8000, 256 + 32)):
        sound = speech(2 * size, rate).reshape(2, size)
        state = np.zeros((2, 2, 128), np.float32)
        yield "silero_vad", {"input": sound[:, :], "state": state, "sr": np.array(rate, np.int64)}
        yield "silero_vad_op18_ifless", {"input": sound, "state": state + 0.1, "sr": np.array(rate, np.int64)}


def find(root, name):
    for folder, _, files in os.walk(root):
        if name + ".onnx" in files:
            return os.path.join(folder, name + ".onnx")
    raise SystemExit(f"{root} has no {name}.onnx")


def main(root, out):
    for i, (name, feeds) in enumerate(cases()):
        path, folder = find(root, name), os.path.join(out, f"{i}-{name}")
        os.makedirs(folder)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        feeds = {k: v.astype({"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}[x.type]) for x in session.get_inputs() for k, v in feeds.items() if k == x.name}
        with open(os.path.join(folder, "model"), "w") as f:
            f.write(path)
        outputs = [o.name for o in session.get_outputs()]
        for kind, tensors in (("input", feeds), ("output", dict(zip(outputs, session.run(outputs, feeds))))):
            for k, (name, v) in enumerate(tensors.items()):
                with open(os.path.join(folder, f"{kind}_{k}.pb"), "wb") as f:
                    f.write(numpy_helper.from_array(np.asarray(v), name).SerializeToString())


main(sys.argv[1], sys.argv[2])
