"""Compares what a server answers to NVIDIA's client with ONNX Runtime, as serving_test.go runs it.

    client.py HOST:PORT FILE.onnx

The server has the file as a model "m", whose only input is x, float32 (n, 1, h, w).
"""
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
import tritonclient.http as client


def main(address, file):
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    with client.InferenceServerClient(address) as c:
        meta = c.get_model_metadata("m")
        assert meta["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 1, -1, -1]}], meta
        assert [o["name"] for o in meta["outputs"]] == names, meta

    def one(i):
        random = np.random.default_rng(i)
        x = random.standard_normal((random.integers(1, 6), 1, random.integers(1, 9), random.integers(1, 9))).astype(np.float32)
        with client.InferenceServerClient(address) as c:
            given = client.InferInput("x", list(x.shape), "FP32")
            given.set_data_from_numpy(x, binary_data=bool(i % 2))
            got = c.infer("m", [given], outputs=[client.InferRequestedOutput(n, binary_data=bool(i % 3)) for n in names])
        for name, want in zip(names, session.run(None, {"x": x})):
            have = got.as_numpy(name)
            assert have.shape == want.shape and have.dtype == want.dtype, (name, have.shape, want.shape)
            np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(48)))
    print("all is well")


main(*sys.argv[1:])
