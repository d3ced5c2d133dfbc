"""Draws configurations of operators, and writes each in the form of ONNX's own tests.

usage: randomcases.py OUT SEED COUNT

What is expected is ONNX Runtime's result, or PyTorch's where that lacks the operator.
"""
import os, sys

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name, v):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)


def model(nodes, feeds, outs, opset):
    """outs are names with element types."""
    g = helper.make_graph(nodes, "g", [info(k, v) for k, v in feeds.items()], [helper.make_tensor_value_info(n, t, None) for n, t in outs])
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def one(op, feeds, outs, opset=17, **attrs):
    node = helper.make_node(op, list(feeds), [n for n, _ in outs], **attrs)
    return model([node], feeds, outs, opset), feeds, None


def dims(r, low, high, most=6):
    return [int(v) for v in r.integers(1, most, r.integers(low, high + 1))]


def nonzero(r):
    x = r.integers(-1, 2, dims(r, 1, 4)).astype(r.choice(["float32", "int64", "int32"]))
    return one("NonZero", {"x": x}, [("y", I)])


def compress(r):
    x = r.normal(size=dims(r, 1, 4)).astype(np.float32)
    if r.random() < 0.3:
        return one("Compress", {"x": x, "c": r.random(int(r.integers(1, x.size + 1))) < 0.5}, [("y", F)])
    a = int(r.integers(-x.ndim, x.ndim))
    return one("Compress", {"x": x, "c": r.random(x.shape[a]) < 0.5}, [("y", F)], axis=a)


def unique(r):
    x = r.integers(0, 3, dims(r, 1, 3)).astype(r.choice(["float32", "int64"]))
    attrs = {} if r.random() < 0.4 else {"axis": int(r.integers(-x.ndim, x.ndim))}
    t = helper.np_dtype_to_tensor_dtype(x.dtype)
    return one("Unique", {"x": x}, [("y", t), ("i", I), ("j", I), ("n", I)], sorted=int(r.integers(0, 2)), **attrs)


def suppression(r):
    b, c, n = (int(v) for v in r.integers(1, (3, 4, 60)))
    p = r.random((b, n, 2)) * r.choice([1, 30])
    size = r.random((b, n, 2)) * r.choice([0.5, 3])
    centre = int(r.integers(0, 2))
    boxes = np.concatenate([p, size] if centre else [p, p + size * r.choice([-1, 1], (b, n, 1))], axis=2)
    feeds = {"boxes": boxes.astype(np.float32), "scores": (np.round(r.random((b, c, n)) * 20) / 20).astype(np.float32)}
    feeds["most"] = np.array([r.integers(0, 20)])
    feeds["iou"] = np.array([r.random()], np.float32)
    if r.random() < 0.7:
        feeds["score"] = np.array([r.random()], np.float32)
    return one("NonMaxSuppression", feeds, [("y", I)], center_point_box=centre)


def loop(r):
    """x <- x*w + i while the sum of x is small, with the steps stacked."""
    n = int(r.integers(1, 5))
    feeds = {"most": np.array(r.integers(0, 90)), "x": r.random(n).astype(np.float32), "w": (1 + r.random(n) / 9).astype(np.float32)}
    feeds["limit"] = np.array(r.choice([20, 1e9]), np.float32)
    body = helper.make_graph(
        [
            helper.make_node("Cast", ["i"], ["fi"], to=F),
            helper.make_node("Mul", ["s", "w"], ["m"]),
            helper.make_node("Sin", ["fi"], ["sf"]),
            helper.make_node("Add", ["m", "sf"], ["t"]),
            helper.make_node("ReduceSum", ["t"], ["sum"], keepdims=0),
            helper.make_node("Less", ["sum", "limit"], ["on"]),
            helper.make_node("Identity", ["t"], ["out"]),
        ],
        "body",
        [helper.make_tensor_value_info("i", I, []), helper.make_tensor_value_info("c", B, []), helper.make_tensor_value_info("s", F, [n])],
        [helper.make_tensor_value_info("on", B, []), helper.make_tensor_value_info("t", F, [n]), helper.make_tensor_value_info("out", F, [n])],
    )
    node = helper.make_node("Loop", ["most", "", "x"], ["y", "all"], body=body)
    return model([node], feeds, [("y", F), ("all", F)], 17), feeds, None


def scan(r):
    """A running sum over an axis, in either direction, of few or many parts."""
    rank = int(r.integers(1, 4))
    shape = dims(r, rank, rank, 4)
    a = int(r.integers(0, rank))
    shape[a] = int(r.choice([1, 5, 70]))
    part = shape[:a] + shape[a + 1 :]
    feeds = {"s": r.normal(size=part).astype(np.float32), "x": r.normal(size=shape).astype(np.float32)}
    body = helper.make_graph(
        [helper.make_node("Add", ["p", "q"], ["t"]), helper.make_node("Identity", ["t"], ["o"])],
        "body",
        [helper.make_tensor_value_info(k, F, part) for k in ("p", "q")],
        [helper.make_tensor_value_info(k, F, part) for k in ("t", "o")],
    )
    node = helper.make_node("Scan", ["s", "x"], ["y", "all"], body=body, num_scan_inputs=1, scan_input_axes=[a],
                            scan_output_axes=[int(r.integers(0, rank))], scan_input_directions=[int(r.integers(0, 2))],
                            scan_output_directions=[int(r.integers(0, 2))])
    return model([node], feeds, [("y", F), ("all", F)], 17), feeds, None


def sequences(r):
    """Splits, takes one out, puts it at another place, and joins."""
    x = r.normal(size=dims(r, 2, 3)).astype(np.float32)
    a, n = 0, int(r.integers(2, 7))
    x = np.concatenate([x] * n, axis=a)
    size = int(r.integers(1, x.shape[0]))
    count = -(-x.shape[0] // size)
    feeds = {"x": x, "size": np.array(size), "i": np.array(r.integers(-count, count)), "j": np.array(r.integers(0, count))}
    nodes = [
        helper.make_node("SplitToSequence", ["x", "size"], ["q"], axis=a),
        helper.make_node("SequenceAt", ["q", "i"], ["e"]),
        helper.make_node("SequenceErase", ["q", "i"], ["w"]),
        helper.make_node("SequenceInsert", ["w", "e", "j"], ["z"]),
        helper.make_node("ConcatFromSequence", ["z"], ["y"], axis=a),
        helper.make_node("SequenceLength", ["z"], ["n"]),
    ]
    return model(nodes, feeds, [("y", F), ("n", I)], 17), feeds, None


def branch(r):
    """If by a computed condition, with weights of one name in both branches."""
    n = int(r.integers(1, 5))
    feeds = {"x": r.normal(size=(2, n)).astype(np.float32)}
    graphs = []
    for _ in range(2):
        w = numpy_helper.from_array(r.normal(size=(n, 3)).astype(np.float32), "w")
        graphs.append(helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["o"])], "b", [], [helper.make_tensor_value_info("o", F, None)], [w]))
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Greater", ["s", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=graphs[0], else_branch=graphs[1]),
    ]
    return model(nodes, feeds, [("y", F)], 17), feeds, None


def detector(r):
    """Products of two matrices, of which the rows with a large first element are kept and sorted."""
    n, k = int(r.integers(2, 20)), int(r.integers(1, 5))
    feeds = {"x": r.normal(size=(n, k)).astype(np.float32), "w": r.normal(size=(k, 4)).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Constant", [], ["first"], value_int=0),
        helper.make_node("Gather", ["m", "first"], ["f"], axis=1),
        helper.make_node("Less", ["zero", "f"], ["c"]),
        helper.make_node("NonZero", ["c"], ["i"]),
        helper.make_node("Transpose", ["i"], ["j"]),
        helper.make_node("GatherND", ["m", "j"], ["rows"]),
        helper.make_node("Shape", ["rows"], ["s"]),
        helper.make_node("Gather", ["s", "first"], ["count"]),
        helper.make_node("Range", ["first", "count", "one"], ["numbers"]),
        helper.make_node("Mul", ["rows", "rows"], ["y"]),
    ]
    nodes.insert(0, helper.make_node("Constant", [], ["one"], value_int=1))
    return model(nodes, feeds, [("y", F), ("numbers", I)], 17), feeds, None


def loss(r):
    n, c, rest = int(r.integers(1, 5)), int(r.integers(1, 6)), dims(r, 0, 3, 4)
    x = torch.tensor(r.normal(size=[n, c] + rest).astype(np.float32))
    target = torch.tensor(r.integers(0, c, [n] + rest))
    reduction = str(r.choice(["none", "sum", "mean"]))
    ignore = int(r.integers(-3, c)) if r.random() < 0.5 else None
    if ignore is not None:
        target[torch.tensor(r.random([n] + rest)) < 0.2] = ignore
        target.view(-1)[0] = (ignore + 1) % c if c > 1 else 0
    weight = torch.tensor(r.random(c).astype(np.float32)) if r.random() < 0.5 else None
    kind = str(r.choice(["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"]))
    f = torch.nn.functional.nll_loss if kind[0] == "N" else torch.nn.functional.cross_entropy
    y = f(x, target, weight, reduction=reduction, ignore_index=-100 if ignore is None else ignore)
    feeds = {"x": x.numpy(), "target": target.numpy()}
    if weight is not None:
        feeds["weight"] = weight.numpy()
    attrs = {} if ignore is None else {"ignore_index": ignore}
    m, feeds, _ = one(kind, feeds, [("y", F)], reduction=reduction, **attrs)
    return m, feeds, [y.numpy()]


def attention(r):
    b, kv, groups, l, s, e, v = (int(k) for k in r.integers(1, (3, 4, 3, 6, 7, 6, 6)))
    h = kv * groups
    q, k, w = (r.normal(size=z).astype(np.float32) for z in ((b, h, l, e), (b, kv, s, e), (b, kv, s, v)))
    causal = bool(r.integers(0, 2))
    mask = None
    if r.random() < 0.6:
        shape = [(l, s), (b, 1, l, s), (1, h, l, s), (b, h, l, s)][r.integers(0, 4)]
        mask = r.random(shape) < 0.7 if r.random() < 0.5 else r.normal(size=shape).astype(np.float32)
        if mask.dtype == bool:
            mask[..., 0] = True
    feeds, attrs = {"q": q, "k": k, "v": w}, {"is_causal": int(causal)}
    scale = None
    if r.random() < 0.5:
        scale = attrs["scale"] = float(r.random())
    bias = None if mask is None else torch.tensor(mask)
    if causal:
        lower = torch.ones(l, s, dtype=torch.bool).tril()
        bias = lower if bias is None else (bias & lower if bias.dtype == torch.bool else bias.masked_fill(~lower, -np.inf))
    tq, tk, tv = (torch.tensor(z) for z in (q, k, w))
    y = torch.nn.functional.scaled_dot_product_attention(tq, tk, tv, bias, scale=scale, enable_gqa=True).numpy()
    if r.random() < 0.5:
        flat = lambda z: np.ascontiguousarray(z.transpose(0, 2, 1, 3).reshape(b, z.shape[2], -1))
        feeds, y = {n: flat(z) for n, z in feeds.items()}, flat(y)
        attrs.update(q_num_heads=h, kv_num_heads=kv)
    if mask is not None:
        feeds["mask"] = mask
    m, feeds, _ = one("Attention", feeds, [("y", F)], 24, **attrs)
    return m, feeds, [y]


KINDS = [nonzero, compress, unique, suppression, loop, scan, sequences, branch, detector, loss, attention]


def main(out, seed, count):
    for k in range(count):
        for kind in KINDS:
            r = np.random.default_rng([seed, k, KINDS.index(kind)])
            m, feeds, want = kind(r)
            names = [o.name for o in m.graph.output]
            if want is None:
                s = onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
                want = s.run(names, feeds)
            folder = os.path.join(out, f"{kind.__name__}_{k}")
            data = os.path.join(folder, "test_data_set_0")
            os.makedirs(data)
            onnx.save(m, os.path.join(folder, "model.onnx"))
            for what, list in (("input", feeds.values()), ("output", want)):
                for i, v in enumerate(list):
                    with open(os.path.join(data, f"{what}_{i}.pb"), "wb") as f:
                        f.write(numpy_helper.from_array(np.asarray(v)).SerializeToString())


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
