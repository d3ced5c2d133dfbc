"""Writes scikit-learn.json: outputs and targets at random, and what scikit-learn makes of them.

    python3 train/metrics/testdata/fixtures.py > train/metrics/testdata/scikit-learn.json
"""

import json
import sys
import warnings

import numpy as np
import sklearn
import sklearn.metrics as sk

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261130)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def per_class(want, name, y, p, f, classes):
    """The averages of a metric of labels."""
    for average in ("macro", "micro", "weighted"):
        want[f"{name}.{average}"] = f(y, p, average=average, zero_division=0)
    for c, v in enumerate(f(y, p, average=None, labels=range(classes), zero_division=0)):
        want[f"{name}.class.{c}"] = v
    if classes == 2:
        want[name] = f(y, p, zero_division=0)


def of_labels(want, y, p, classes):
    want["accuracy"] = sk.accuracy_score(y, p)
    want["balanced_accuracy"] = sk.balanced_accuracy_score(y, p)
    for name, f in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score), ("iou", sk.jaccard_score)):
        per_class(want, name, y, p, f, classes)


def of_scores(want, y, scores, classes):
    """The areas under curves, one class against the rest."""
    for name, f in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        each = [f(y == c, scores[:, c]) for c in range(classes)]
        for c, v in enumerate(each):
            want[f"{name}.class.{c}"] = v
        if classes == 2:
            want[name] = f(y, scores[:, 1])
        elif not np.isnan(each).any():
            onehot = np.eye(classes)[y]
            for average in ("macro", "weighted"):
                want[f"{name}.{average}"] = f(onehot, scores, average=average)


def case(name, outputs, targets, batches, want):
    n = len(outputs)
    cuts = sorted(rng.choice(np.arange(1, n), size=min(batches, n) - 1, replace=False).tolist())
    want = {k: None if np.isnan(v) else float(v) for k, v in want.items()}
    return {
        "name": name, "output": list(outputs.shape), "target": list(targets.shape), "dtype": str(outputs.dtype), "targets_dtype": str(targets.dtype),
        "outputs": outputs.ravel().tolist(), "targets": targets.ravel().tolist(), "ends": cuts + [n], "want": want,
    }


def classification(name, n, classes, *, spatial=(), dtype="float32", quantised=False, missing=(), ignored=0.0, batches=5, topk=()):
    z = rng.normal(size=(n, classes, *spatial)) * 2
    y = rng.integers(classes, size=(n, *spatial))
    for c in missing:
        y[y == c] = (c + 1) % classes
        z[:, c] -= 100
    np.put_along_axis(z, y[:, None], np.take_along_axis(z, y[:, None], 1) + 1.5, 1)
    z = np.round(z * 2) / 2 if quantised else z
    z = z.astype(dtype)
    targets = y.astype("int32")
    targets[rng.random(y.shape) < ignored] = -1
    rows = np.moveaxis(z.astype("float64"), 1, -1).reshape(-1, classes)
    flat = targets.ravel()
    rows, flat = rows[flat >= 0], flat[flat >= 0]
    probabilities, want = softmax(rows), {}
    of_labels(want, flat, rows.argmax(1), classes)
    # softmax rounds equal differences to unequal probabilities
    of_scores(want, flat, np.stack([rows[:, 0] - rows[:, 1], rows[:, 1] - rows[:, 0]], 1) if classes == 2 else probabilities, classes)
    want["log_loss"] = sk.log_loss(flat, probabilities, labels=range(classes))
    for k in topk:
        want[f"top{k}"] = sk.top_k_accuracy_score(flat, rows, k=k, labels=range(classes))
    return case(name, z, targets, batches, want)


def answers(name, shape, dtype="float32", rare=False):
    """One logit for each yes or no."""
    z = (rng.normal(size=shape) * 2).astype(dtype)
    y = (rng.random(shape) < (0.02 if rare else 0.4)).astype("float32")
    z += y.astype(dtype)
    flat, logits, want = y.ravel().astype(int), z.ravel().astype("float64"), {}
    of_labels(want, flat, (logits > 0).astype(int), 2)
    of_scores(want, flat, np.stack([-logits, logits], 1), 2)
    want["log_loss"] = sk.log_loss(flat, 1 / (1 + np.exp(-logits)), labels=[0, 1])
    return case(name, z, y, 4, want)


def regression(name, shape, dtype="float32", offset=0.0, constant=False):
    y = rng.normal(size=shape) * 3 + offset
    if constant:
        y[..., 0] = 2
    x = y + rng.normal(size=shape)
    x, y = x.astype(dtype), y.astype("float32")
    a, b = y.astype("float64").reshape(len(y), -1), x.astype("float64").reshape(len(x), -1)
    want = {
        "mae": sk.mean_absolute_error(a, b), "mse": sk.mean_squared_error(a, b), "rmse": sk.root_mean_squared_error(a, b),
        "r2": sk.r2_score(a, b) if len(a) > 1 else float("nan"),
    }
    return case(name, x, y, 6, want)


cases = [
    classification("two classes", 57, 2),
    classification("two classes, equal scores", 80, 2, quantised=True),
    classification("two classes, one of them missing", 9, 2, missing=[1]),
    classification("five classes", 91, 5, topk=[2, 3, 4]),
    classification("seven classes, two missing", 64, 7, missing=[2, 5], topk=[3]),
    classification("ten classes, float64, a batch each", 40, 10, dtype="float64", batches=40, topk=[5]),
    classification("images of three classes, some pixels ignored", 4, 3, spatial=(3, 5), ignored=0.2, topk=[2]),
    classification("sequences of four classes", 6, 4, spatial=(7,), ignored=0.1, topk=[2]),
    answers("yes or no", (60, 1)),
    answers("masks", (5, 1, 4, 4), dtype="float64"),
    answers("many labels, seldom yes", (70, 3), rare=True),
    regression("numbers", (50,)),
    regression("one example", (1, 2)),
    regression("three numbers, far from zero", (40, 3), offset=1e4),
    regression("a constant target", (12, 2), constant=True),
    regression("images, float64", (7, 2, 3, 3), dtype="float64"),
]
json.dump({"scikit-learn": sklearn.__version__, "cases": cases}, sys.stdout, separators=(",", ":"))
print()
