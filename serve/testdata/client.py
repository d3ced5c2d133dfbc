"""Talks to a server of package serve by NVIDIA's client, as client_test.go runs it.

    client.py HOST:PORT TOKEN

The server has a model "m": y = x*k + 0.5 for rows x of three numbers and one k, and next = k + 1,
and after it is loaded again y = x*k + 1.5.
"""
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tritonclient.http as client
from tritonclient.utils import InferenceServerException


def infer(c, x, k, binary_in, binary_out, outputs=("y", "next"), **more):
    inputs = [client.InferInput("x", list(x.shape), "FP32"), client.InferInput("k", list(k.shape), "INT64")]
    inputs[0].set_data_from_numpy(x, binary_data=binary_in[0])
    inputs[1].set_data_from_numpy(k, binary_data=binary_in[1])
    wanted = [client.InferRequestedOutput(name, binary_data=b) for name, b in zip(outputs, binary_out)]
    return c.infer("m", inputs, outputs=wanted or None, **more)


def refused(call, status, text):
    try:
        call()
    except InferenceServerException as e:
        assert e.status() == status and text in e.message(), (e.status(), e.message())
    else:
        raise AssertionError(f"not refused: {text}")


def main(address, token):
    c = client.InferenceServerClient(address, concurrency=4)
    assert c.is_server_live() and c.is_server_ready() and c.is_model_ready("m") and c.is_model_ready("m", "1")
    assert not c.is_model_ready("none")
    assert c.get_server_metadata()["extensions"] == ["binary_tensor_data", "model_repository"]
    meta = c.get_model_metadata("m")
    assert meta["inputs"][0] == {"name": "x", "datatype": "FP32", "shape": [-1, 3]}, meta
    assert [m["name"] for m in c.get_model_repository_index()] == ["m"]

    random = np.random.default_rng(1)
    for binary_in in ((True, True), (False, False), (True, False), (False, True)):
        for binary_out in ((), (True, True), (False, False), (False, True)):
            rows = int(random.integers(1, 9))
            x, k = random.standard_normal((rows, 3)).astype(np.float32), random.integers(1, 9, rows)
            r = infer(c, x, k, binary_in, binary_out, request_id="é1")
            assert r.get_response()["id"] == "é1"
            np.testing.assert_array_equal(r.as_numpy("y"), x * k[:, None].astype(np.float32) + np.float32(0.5))
            np.testing.assert_array_equal(r.as_numpy("next"), k + 1)
    only = infer(c, x, k, (True, True), (True,), outputs=("next",))
    assert only.as_numpy("y") is None and only.as_numpy("next") is not None

    def one(i):
        with client.InferenceServerClient(address) as own:
            x = np.full((1, 3), i, np.float32)
            y = infer(own, x, np.array([2]), (True, True), (True, True)).as_numpy("y")
            np.testing.assert_array_equal(y, x * 2 + 0.5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(32)))
    pending = [c.async_infer("m", two(x, k)) for _ in range(8)]
    for p in pending:
        np.testing.assert_array_equal(p.get_result().as_numpy("next"), k + 1)

    refused(lambda: infer(c, x[:, :2], k, (True, True), ()), "400", 'input "x": its shape is')
    refused(lambda: infer(c, x, k, (True, True), (True,), outputs=("z",)), "400", 'no output "z"')
    refused(lambda: c.infer("none", two(x, k)), "404", 'no model "none"')
    refused(lambda: c.infer("m", two(x, k), request_compression_algorithm="gzip"), "415", "gzip")
    refused(lambda: c.load_model("m"), "401", "token")
    c.load_model("m", headers={"Authorization": "Bearer " + token})
    r = infer(c, x, k, (True, True), ())
    assert r.get_response()["model_version"] == "2"
    np.testing.assert_array_equal(r.as_numpy("y"), x * k[:, None].astype(np.float32) + np.float32(1.5))
    assert c.is_model_ready("m", "2") and not c.is_model_ready("m", "1")
    print("all is well")


def two(x, k):
    inputs = [client.InferInput("x", list(x.shape), "FP32"), client.InferInput("k", list(k.shape), "INT64")]
    inputs[0].set_data_from_numpy(x)
    inputs[1].set_data_from_numpy(k)
    return inputs


main(*sys.argv[1:])
