"""Writes python.safetensors. Run in this folder with numpy 2.4.6 and safetensors 0.8.0."""

import numpy as np
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
