"""Writes the fixtures. Run in this folder with numpy 2.4.6 and safetensors 0.8.0."""

import json
import struct

import numpy as np
from safetensors import deserialize
from safetensors.numpy import save_file

tensors = {
    "conv1.weight": np.arange(12, dtype=np.float32).reshape(2, 1, 2, 3) / 8,
    "conv1.bias": np.array([-0.0, np.float32(1e-45)], dtype=np.float32),
    "mean": np.array([np.pi, -np.inf], dtype=np.float64),
    "labels": np.array([-1, 2**31 - 1, 7], dtype=np.int32),
    "step": np.array(-(2**62), dtype=np.int64),
    "pixels": np.array([[0, 128, 255]], dtype=np.uint8),
    "mask": np.array([True, False, True]),
    "empty": np.zeros((0, 5), dtype=np.float32),
    "größe": np.ones((1, 1), dtype=np.float32),
}
save_file(tensors, "python.safetensors", metadata={"model": 'le"net', "classes": "<0>"})
save_file({"a": np.zeros(2, dtype=np.float16), "b": np.zeros(1, dtype=np.float32)}, "float16.safetensors")


def write(path, tensors):
    """Writes (name, dtype, shape, bytes), which are in the order of the format, and has them read."""
    header, data = {}, b""
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file = struct.pack("<Q", len(text)) + text + data
    deserialize(file)
    with open(path, "wb") as f:
        f.write(file)


# Eight elements of every type.
bits = {"U64": 64, "I64": 64, "F64": 64, "C64": 64, "F32": 32, "U32": 32, "I32": 32, "BF16": 16, "F16": 16, "U16": 16, "I16": 16,
        "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8, "F8_E8M0": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "U8": 8, "F6_E3M2": 6, "F6_E2M3": 6,
        "F4": 4, "BOOL": 8}
write("types.safetensors", [(t, t, [2, 4], bytes(i % 2 for i in range(n))) for t, n in bits.items()])

# Numbers of half precision, and NumPy's float32 of them.
random = np.random.default_rng(1)
half = np.concatenate([np.array([0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x3C00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFE01], np.uint16),
                       random.integers(0, 0x7C00, 200, np.uint16)])
wide = half.view(np.float16).astype(np.float32)
brain = random.integers(0, 1 << 16, 200, np.uint16)
brain_wide = (brain.astype(np.uint32) << 16).view(np.float32)
write("half.safetensors", [
    ("bfloat16.wide", "F32", [200], brain_wide.tobytes()), ("float16.wide", "F32", [213], wide.tobytes()),
    ("bfloat16", "BF16", [200], brain.tobytes()), ("float16", "F16", [213], half.tobytes()),
])

# The reference implementation reads what TestWhatTheFormatAllowsIsRead does.
good = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
empty = '{"dtype":"U8","shape":[0],"data_offsets":[4,4]}'
for text in [
    '{"__metadata__":null,"w":%s}' % good,
    '{"w":%s,"__metadata__":{"format":"pt"}}' % good,
    '{"w":{"x":[[{"y":1}]],"dtype":"F32","shape":[1],"z":null,"data_offsets":[0,4],"x":"again"}}',
    '{"\\u0077":{"d\\u0074ype":"F32","shape":[1],"data_offsets":[0,4]}}',
    '{ "w" :\n%s\t}\r\n  ' % good,
    '{"a":{"dtype":"F64","shape":[0],"data_offsets":[0,0]},"w":%s,"z":{"dtype":"U8","shape":[2,0],"data_offsets":[4,4]}}' % good,
    '{"":%s,"w":%s}' % (empty, good),
    '{"\\ud83d\\ude00":%s,"w":%s}' % (empty, good),
    '{"\\ufffd":%s,"w":%s}' % (empty, good),
    '{"e":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[4,4]},"w":%s}' % good,
]:
    header = text.encode()
    assert ("w", {"shape": [1], "dtype": "F32", "data": bytearray(b"\0\0\x80?")}) in deserialize(struct.pack("<Q", len(header)) + header + b"\0\0\x80?"), text
