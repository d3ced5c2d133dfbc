"""What the functions of package ops are in PyTorch.

FUNCTIONS has an entry for each that PyTorch can compute, by its name: it takes the inputs as
tensors and the attributes by the names of their Go structs, as functions.go does. Where PyTorch's
own function covers the attributes it is taken; the rest is put together from other functions.

Where Plexaura means something else at some elements, CONVENTIONS says so by name, and FUNCTIONS has
PyTorch's function with these elements, and no others, replaced.
"""
import functools
import math

import torch
import torch.nn.functional as F


def default(value, other):
    """An attribute that is absent or 0 stands for another value, as in package ops."""
    return value or other


def listed(value, d):
    """An attribute for each of d axes: those of one axis are no lists."""
    return [value] if d == 1 else list(value)


def cast(x, *types):
    """Casts x to one type after the other."""
    for t in types:
        x = x.to(getattr(torch, t))
    return x


def sides(pad):
    """Padding an axis, as F.pad wants it."""
    return [n for side in reversed(pad) for n in side]


def even(pad):
    return all(before == after for before, after in pad)


# ---- elementwise


def divide(a, b):
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


ELEMENTWISE = {
    "Neg": torch.neg, "Abs": torch.abs, "Sign": torch.sign, "Exp": torch.exp, "Log": torch.log, "Log1p": torch.log1p,
    "Expm1": torch.expm1, "Sqrt": torch.sqrt, "Sin": torch.sin, "Cos": torch.cos, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid,
    "Erf": torch.erf, "Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round,
    "Tan": torch.tan, "Asin": torch.asin, "Acos": torch.acos, "Atan": torch.atan, "Sinh": torch.sinh, "Cosh": torch.cosh, "Asinh": torch.asinh,
    "Acosh": torch.acosh, "Atanh": torch.atanh, "IsNaN": torch.isnan, "IsInf": torch.isinf, "Fmod": torch.fmod, "Mod": torch.remainder, "ReLU": torch.relu, "ReLU6": F.relu6, "Softplus": F.softplus, "Square": torch.square,
    "Reciprocal": torch.reciprocal, "StopGradient": torch.Tensor.detach, "ZerosLike": torch.zeros_like, "OnesLike": torch.ones_like,
    "GELU": F.gelu, "SELU": F.selu, "GELUTanh": lambda x: F.gelu(x, approximate="tanh"), "SiLU": F.silu, "Mish": F.mish,
    "Softsign": F.softsign, "HardSwish": F.hardswish,
    "HardSigmoid": lambda x: F.relu6(x + 3) / 6,  # the derivative of PyTorch's own is that of float32
    "ELU": lambda x, Alpha: F.elu(x, Alpha),
    "LeakyReLU": lambda x, Alpha: F.leaky_relu(x, Alpha),
    "Clip": lambda x, Lo, Hi: x.clamp(Lo, Hi),
    "AddScalar": lambda x, V: x + V,
    "MulScalar": lambda x, V: x * V,
    "FullLike": lambda x, V: torch.full_like(x, V),
    "PReLU": lambda x, a: F.prelu(x, a.reshape(-1)),
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": divide, "Pow": torch.pow,
    "Maximum": torch.maximum, "Minimum": torch.minimum,
    "Equal": torch.eq, "NotEqual": torch.ne, "Less": torch.lt, "LessEqual": torch.le, "Greater": torch.gt, "GreaterEqual": torch.ge,
    "And": torch.logical_and, "Or": torch.logical_or, "Not": torch.logical_not, "Xor": torch.logical_xor,
    "BitAnd": torch.bitwise_and, "BitOr": torch.bitwise_or, "BitXor": torch.bitwise_xor, "BitNot": torch.bitwise_not,
    "ShiftLeft": torch.bitwise_left_shift, "ShiftRight": torch.bitwise_right_shift,
    "Where": torch.where,
    "Cast": lambda x, To, Via=(): cast(x, *Via, To),
}

# ---- reductions


def prod(x, Axes):
    for axis in sorted(Axes, reverse=True):
        x = x.prod(axis)
    return x


def reduction(f, keep):
    return lambda x, Axes: f(x, dim=Axes, keepdim=keep)


def variance(x, dim, keepdim):
    return torch.var(x, dim, correction=0, keepdim=keepdim)


def running(f, x, axis, reverse, exclusive, start):
    if reverse:
        x = x.flip(axis)
    if exclusive:
        x = torch.cat([torch.full_like(x.narrow(axis, 0, 1), start), x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    y = f(x)
    return y.flip(axis) if reverse else y


def linear_scan(a, b, Axis):
    h = []
    for x, y in zip(a.unbind(Axis), b.unbind(Axis)):
        h.append(x * h[-1] + y if h else y)
    return torch.stack(h, Axis)


def first_least(x, axis):
    """The first of the least elements, of which NaN is none."""
    return x.sort(dim=axis, stable=True)[1].select(axis, 0)


REDUCTIONS = {
    "Sum": reduction(torch.sum, False), "SumKeep": reduction(torch.sum, True),
    "Mean": reduction(torch.mean, False), "MeanKeep": reduction(torch.mean, True),
    "Max": reduction(torch.amax, False), "MaxKeep": reduction(torch.amax, True),
    "Min": reduction(torch.amin, False), "MinKeep": reduction(torch.amin, True),
    "Variance": reduction(variance, False),
    "Prod": prod,
    "Count": lambda x, Axes: torch.tensor(float(math.prod(x.shape[a] for a in Axes)), dtype=x.dtype),
    "BroadcastTo": lambda x, Shape: x.expand(Shape),
    "SumTo": lambda x, Shape: x.sum_to_size(Shape),
    "Softmax": lambda x, Axis: F.softmax(x, Axis),
    "LogSoftmax": lambda x, Axis: F.log_softmax(x, Axis),
    "CumSum": lambda x, Axis, Reverse=False, Exclusive=False: running(lambda x: x.cumsum(Axis, dtype=x.dtype), x, Axis, Reverse, Exclusive, 0),
    "CumProd": lambda x, Axis, Reverse=False, Exclusive=False: running(lambda x: x.cumprod(Axis), x, Axis, Reverse, Exclusive, 1),
    "LinearScan": linear_scan,
    "ArgMax": lambda x, Axis: x.argmax(Axis),
    "ArgMin": lambda x, Axis: torch.where(x.isnan(), math.inf, x).argmin(Axis) if not x.isnan().all(Axis).any() else first_least(x, Axis),
    "L1Norm": lambda x, Axes: x.abs().sum(Axes),
    "L2Norm": lambda x, Axes: torch.linalg.vector_norm(x, 2, Axes),
    "LogSumExp": lambda x, Axes: torch.logsumexp(x, Axes),
}

# ---- losses


def classes(t):
    """Class numbers as PyTorch takes them; distributions stay."""
    return t if t.is_floating_point() else t.long()


def cross_entropy(x, t, LabelSmoothing=0.0, PerExample=False, Weights=None, Ignore=()):
    t = classes(t)
    if Weights is not None:
        Weights = torch.tensor(Weights, dtype=x.dtype)
    if Ignore:
        t = torch.where(torch.isin(t, torch.tensor(Ignore)), -100, t)
    if not PerExample and not t.is_floating_point():
        counted = t[t >= 0]
        if not (Weights[counted].sum() if Weights is not None else counted.numel()):
            return (x * 0).nan_to_num().sum()  # no label counts; PyTorch has NaN
    return F.cross_entropy(x, t, weight=Weights, reduction="none" if PerExample else "mean", label_smoothing=LabelSmoothing)


def one_hot(t, x):
    """Class numbers as 0 and 1 for each class; probabilities stay."""
    if t.is_floating_point():
        return t
    axis = min(1, x.dim() - 1)
    return F.one_hot(t.long(), x.shape[axis]).to(x.dtype).movedim(-1, axis)


def focal_loss(x, t, Alpha=0.0, Gamma=0.0, PerElement=False):
    # torchvision's sigmoid_focal_loss; it subtracts probabilities from 1, which cancels
    alpha, gamma = Alpha or 0.25, Gamma or 2
    t = one_hot(t, x)
    ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    wrong = torch.sigmoid(x) * (1 - t) + torch.sigmoid(-x) * t
    loss = ce * wrong ** gamma
    if alpha >= 0:
        loss = (alpha * t + (1 - alpha) * (1 - t)) * loss
    return loss if PerElement else loss.mean()


def dice_loss(p, t, Smooth=0.0, Squared=False):
    smooth, t = Smooth or 1.0, one_hot(t, p)
    p, t = p.flatten(2), t.flatten(2)
    size = (p * p + t * t if Squared else p + t).sum(2)
    return (1 - (2 * (p * t).sum(2) + smooth) / (size + smooth)).mean()


def weighted_binary_cross_entropy(x, t, Positive):
    w = torch.tensor(Positive, dtype=x.dtype)
    return F.binary_cross_entropy_with_logits(x, t, pos_weight=w.reshape(-1, *[1] * (x.dim() - 2)))


def nll(x, t):
    if not t.is_floating_point():
        return F.nll_loss(x, t.long())
    return -(t * x).sum(min(1, x.dim() - 1)).mean()


LOSSES = {
    "CrossEntropy": cross_entropy,
    "BinaryCrossEntropy": F.binary_cross_entropy_with_logits,
    "MSE": F.mse_loss,
    "NLL": nll,
    "KLDivergence": lambda x, t: F.kl_div(x, t, reduction="batchmean"),
    "Huber": lambda x, t, Delta: F.huber_loss(x, t, delta=Delta),
    "Hinge": lambda x, t: (1 - t * x).relu().mean(),
    "FocalLoss": focal_loss,
    "DiceLoss": dice_loss,
    "WeightedBinaryCrossEntropy": weighted_binary_cross_entropy,
}

# ---- normalisation


def lrn(x, Size=5, Alpha=1e-4, Beta=0.75, K=1.0):
    # PyTorch's own takes no fewer than three axes
    y = F.local_response_norm(x.reshape(*x.shape, 1), default(Size, 5), default(Alpha, 1e-4), default(Beta, 0.75), default(K, 1.0))
    return y.reshape(x.shape)


def lrn_within_channel(x, Size, Alpha, Beta, K):
    return x * (K + Alpha * F.avg_pool2d(x * x, Size, 1, Size // 2, count_include_pad=True)) ** -Beta


def batch_norm(x, gamma, beta, mean, variance, Part="training", Eps=0.0, Momentum=0.0):
    eps, momentum = default(Eps, 1e-5), default(Momentum, 0.1)
    mean, variance = mean.detach().clone(), variance.detach().clone()
    if Part == "inference":
        return F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=eps)
    y = F.batch_norm(x, mean, variance, gamma, beta, training=True, momentum=momentum, eps=eps)
    return {"training": y, "mean": mean, "variance": variance}[Part]


def layer_norm(x, g, b, Eps=0.0):
    if g.numel() == 1:  # a number less itself, of which PyTorch has a slope of 1e-16
        return (x - x.detach()) * 0 * g + b
    return F.layer_norm(x, g.shape, g, b, default(Eps, 1e-5))


def group_norm(x, g, b, Groups, Eps=0.0):
    if x.numel() > Groups:
        return F.group_norm(x, Groups, g, b, default(Eps, 1e-5))
    channels = [-1] + [1] * (x.dim() - 2)  # PyTorch refuses one value a group
    return (x - x.detach()) * 0 * g.reshape(channels) + b.reshape(channels)


NORMALISATIONS = {
    "LRN": lrn,
    "LRNWithinChannel": lrn_within_channel,
    "LayerNorm": layer_norm,
    "GroupNorm": group_norm,
    "InstanceNorm": lambda x, g, b, Eps=0.0: F.instance_norm(x, weight=g, bias=b, eps=default(Eps, 1e-5)),
    "BatchNorm": batch_norm,
}

# ---- products


def matmul(a, b, TransA=False, TransB=False):
    return torch.matmul(a.transpose(-1, -2) if TransA else a, b.transpose(-1, -2) if TransB else b)


def attention(q, k, v, mask=None, Scale=0.0, Causal=False, Keys=0):
    if mask is not None:
        mask = mask.expand(*q.shape[:-1], k.shape[-2])
    if Keys:
        k, v = k[..., :Keys, :], v[..., :Keys, :]
        mask = mask if mask is None else mask[..., :Keys]
    scores = q @ k.transpose(-2, -1) * default(Scale, q.shape[-1] ** -0.5)
    allowed = torch.ones(scores.shape, dtype=torch.bool) if mask is None else mask.expand(scores.shape)
    if Causal:
        allowed = allowed.tril(Keys - q.shape[-2] if Keys else 0)
    scores = scores.masked_fill(~allowed & allowed.any(-1, True), -math.inf)
    return scores.softmax(-1).masked_fill(~allowed, 0) @ v  # a query without a key gives zeros


def lstm_cell(x, h, c, *weights, Part):
    return dict(zip(("hidden", "cell"), torch._VF.lstm_cell(x, (h, c), *weights)))[Part]


def own_steps(name, xs, states, weights, holes, ReLU=False, ResetBefore=False, Clip=0.0):
    """A layer of one sequence (T,I) with options that PyTorch lacks, by its equations."""
    w, u, a, b = weights
    clip = (lambda v: v.clamp(-Clip, Clip)) if Clip else (lambda v: v)
    gate = (lambda v: torch.relu(clip(v))) if ReLU else (lambda v: torch.sigmoid(clip(v)))
    every, (h, *c) = [], states
    for x in xs:
        v = w @ x + a
        if name == "RNN":
            v = clip(v + u @ h + b)
            h = torch.relu(v) if ReLU else torch.tanh(v)
        elif name == "LSTM":
            i, f, g, o = (v + u @ h + b).chunk(4)
            p = holes.chunk(3) if holes is not None else (0, 0, 0)
            cell = gate(f + p[1] * c[0]) * c[0] + gate(i + p[0] * c[0]) * torch.tanh(clip(g))
            h, c = gate(o + p[2] * cell) * torch.tanh(cell), [cell]
        else:
            (xr, xz, xn), (ur, uz, un), (br, bz, bn) = v.chunk(3), u.chunk(3), b.chunk(3)
            r, z = gate(xr + ur @ h + br), gate(xz + uz @ h + bz)
            n = torch.tanh(clip(xn + (un @ (r * h) + bn if ResetBefore else r * (un @ h + bn))))
            h = n + z * (h - n)
        every.append(h)
    return torch.stack(every), h, *c


def native_steps(name, xs, states, weights, ReLU=False):
    """The same without these options, by PyTorch's own layers."""
    rest = (weights, True, 1, 0.0, True, False, True)
    if name == "LSTM":
        every, h, c = torch._VF.lstm(xs[None], tuple(s[None, None] for s in states), *rest)
        return every[0], h[0, 0], c[0, 0]
    f = {"GRU": torch._VF.gru, "RNN": torch._VF.rnn_relu if ReLU else torch._VF.rnn_tanh}[name]
    every, h = f(xs[None], states[0][None, None], *rest)
    return every[0], h[0, 0]


def recurrent(name, states):
    """A layer, sequence by sequence: the steps that each has, in its order."""
    def layer(x, *inputs, Part, Reverse=False, Lengths=False, Peepholes=False, ReLU=False, **options):
        inputs = list(inputs)
        lengths = inputs.pop().tolist() if Lengths else [x.shape[1]] * len(x)
        holes = inputs.pop() if Peepholes else None
        before, weights = inputs[:states], inputs[states:]
        own = holes is not None or any(options.values()) or ReLU and name != "RNN"
        rows = []
        for i, n in enumerate(lengths):
            start = [s[i] for s in before]
            if n == 0:
                rows.append((x.new_zeros(x.shape[1], start[0].shape[0]), *start))
                continue
            xs = x[i, :n].flip(0) if Reverse else x[i, :n]
            if own:
                every, *last = own_steps(name, xs, start, weights, holes, ReLU=ReLU, **options)
            else:
                every, *last = native_steps(name, xs, start, tuple(weights), ReLU)
            every = every.flip(0) if Reverse else every
            rows.append((F.pad(every, (0, 0, 0, x.shape[1] - n)), *last))
        return torch.stack([r[("all", "hidden", "cell").index(Part)] for r in rows])
    return layer


PRODUCTS = {
    "MatMul": matmul,
    "AddBias": lambda x, b: x + b.reshape([-1] + [1] * (x.dim() - 2)),
    "Einsum": lambda *xs, Subscripts: torch.einsum(Subscripts, *xs) + 0.0,
    "Attention": attention,
    "LSTMCell": lstm_cell,
    "LSTM": recurrent("LSTM", 2),
    "GRUCell": torch._VF.gru_cell,
    "GRU": recurrent("GRU", 1),
    "RNN": recurrent("RNN", 1),
}

# ---- convolution


def convolution(d):
    f = [F.conv1d, F.conv2d, F.conv3d][d - 1]

    def conv(x, w, Stride=0, Dilation=0, Pad=0, Groups=1):
        stride, dilation = (listed(v, d) if v else [1] * d for v in (Stride, Dilation))
        x = F.pad(x, sides([Pad] if d == 1 else Pad)) if Pad else x
        return f(x, w, stride=stride, dilation=dilation, groups=default(Groups, 1))
    return conv


def transposed(d):
    f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][d - 1]

    def conv(x, w, Op, Extra=0):
        stride, dilation, extra = (listed(v, d) if v else [n] * d for v, n in ((Op.get("Stride"), 1), (Op.get("Dilation"), 1), (Extra, 0)))
        pad = listed(Op["Pad"], d) if Op.get("Pad") else [[0, 0]] * d
        groups = default(Op.get("Groups"), 1)
        if even(pad) and all(e < max(s, k) for e, s, k in zip(extra, stride, dilation)):
            return f(x, w, None, stride, [before for before, _ in pad], extra, groups, dilation)
        y = F.pad(f(x, w, None, stride, 0, 0, groups, dilation), sides([[0, e] for e in extra]))  # whole, then cut
        for axis, (before, after) in enumerate(pad, 2):
            y = y.narrow(axis, before, y.shape[axis] - before - after)
        return y
    return conv


# ---- pooling


class Windows:
    """The windows of a pooling over d axes by its attributes in Go."""

    def __init__(self, d, image, Kernel, Stride=0, Dilation=0, Pad=0, Ceil=False):
        self.kernel = listed(Kernel, d)
        self.stride = [s or k for s, k in zip(listed(Stride, d) if Stride else [0] * d, self.kernel)]
        self.dilation = [n or 1 for n in (listed(Dilation, d) if Dilation else [0] * d)]
        self.pad = ([Pad] if d == 1 else Pad) if Pad else [[0, 0]] * d
        self.ceil = Ceil
        self.image = image[2:]

    def plain(self):
        """Whether PyTorch's own functions know such a padding, and that windows fit."""
        fits = all(n + before + after >= l * (k - 1) + 1 for n, (before, after), k, l in zip(self.image, self.pad, self.kernel, self.dilation))
        whole = len(self.kernel) < 3 or all(n >= k for n, k in zip(self.image, self.kernel))  # PyTorch forgets the padding in 3-D
        return fits and whole and even(self.pad) and all(before <= k // 2 for (before, _), k in zip(self.pad, self.kernel))

    def native(self):
        return self.kernel, self.stride, [before for before, _ in self.pad]

    def overhang(self):
        """The paddings behind each axis that give floor as many windows as there are, negative for what is to be cut off."""
        behind = []
        for n, k, s, l, (before, after) in zip(self.image, self.kernel, self.stride, self.dilation, self.pad):
            span = l * (k - 1) + 1
            free = n + before + after - span
            count = free // s + 1
            if self.ceil and free % s and count * s < n + before:
                count += 1
            behind.append((count - 1) * s + span - n - before)
        return behind

    def around(self, x, value):
        """x with all padding, so that windows need neither padding nor ceil."""
        return F.pad(x, sides([[before, behind] for (before, _), behind in zip(self.pad, self.overhang())]), value=value)

    def sum(self, x):
        """The sum of each window of a padded image: a depthwise convolution by ones."""
        f = [F.conv1d, F.conv2d, F.conv3d][len(self.kernel) - 1]
        ones = torch.ones([x.shape[1], 1] + self.kernel, dtype=x.dtype)
        return f(x, ones, stride=self.stride, dilation=self.dilation, groups=x.shape[1])


class Swapped(torch.autograd.Function):
    """Other values in place of x, with the gradients that x has."""
    @staticmethod
    def forward(ctx, x, values):
        return values.clone()

    @staticmethod
    def backward(ctx, dy):
        return dy, None


def max_pool(d):
    f = [F.max_pool1d, F.max_pool2d, F.max_pool3d][d - 1]

    def pool(x, **attrs):
        w = Windows(d, x.shape, **attrs)
        if w.plain():
            return f(x, *w.native(), w.dilation, w.ceil)
        least = torch.finfo(x.dtype).min  # so that -Inf in the image wins over padding
        raised = Swapped.apply(x, torch.where(x == -math.inf, least, x)) if (x == -math.inf).any() else x
        y = f(w.around(raised, -math.inf), w.kernel, w.stride, 0, w.dilation)
        return y if raised is x else Swapped.apply(y, torch.where(y == least, -math.inf, y))
    return pool


def avg_pool(d):
    f = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][d - 1]

    def pool(x, CountPad=False, **attrs):
        w = Windows(d, x.shape, **attrs)
        if w.plain() and w.dilation == [1] * d:
            return f(x, *w.native(), w.ceil, CountPad)
        counted = F.pad(torch.ones_like(x), sides(w.pad), value=float(CountPad))
        beyond = [[0, behind - after] for behind, (_, after) in zip(w.overhang(), w.pad)]
        n = w.sum(F.pad(counted, sides(beyond)))
        return w.sum(w.around(x, 0)) / n.clamp(min=1)  # padding alone gives 0
    return pool


def lp_pool(d):
    def pool(x, P, Op):
        w = Windows(d, x.shape, **Op)
        if d < 3 and w.pad == [[0, 0]] * d and w.dilation == [1] * d and not w.ceil:
            f = [F.lp_pool1d, F.lp_pool2d][d - 1]
            kernel, stride = (w.kernel[0], w.stride[0]) if d == 1 else (w.kernel, w.stride)
            return f(x.abs(), P, kernel, stride)  # PyTorch's leaves out the absolute values
        return w.sum(w.around(x.abs() ** P, 0)) ** (1 / P)
    return pool


def of_axes(template, f):
    return {template % d: f(d) for d in (1, 2, 3)}


def adaptive(kind):
    return lambda d: lambda x, Size: getattr(F, f"adaptive_{kind}_pool{d}d")(x, Size)


def whole(kind):
    return lambda d: lambda x: getattr(F, f"adaptive_{kind}_pool{d}d")(x, 1)


# ---- resizing: by PyTorch's own functions where they know the options, else by a matrix for each axis, which is
# made as in ONNX's reference implementation.


def position(i, n, m, scale, coordinates, crop):
    whole = scale * n
    half = (i + 0.5) / scale - 0.5
    if coordinates == 0:
        return half
    if coordinates == 1:
        return n / 2 * (1 - m / whole) + half
    if coordinates == 2:
        return -0.5 if m == 1 else half
    if coordinates == 3:
        return 0 if m == 1 or n == 1 else i * (n - 1) / (whole - 1)
    if coordinates == 4:
        return i / scale
    span = (crop[1] - crop[0]) * (n - 1)
    return (span / 2 if m == 1 else i * span / (whole - 1)) + crop[0] * (n - 1)


def keys(d, a):
    d = abs(d)
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0.0


def coefficients(ratio, scale, Mode, Rounding, Cubic, Antialias):
    """Weights of the elements around a position, which is ratio after the middle one's left neighbour."""
    scale = min(scale, 1) if Antialias and Mode else 1.0
    if Mode == 0:
        left = {0: ratio <= 0.5, 1: ratio < 0.5, 2: ratio < 1, 3: False}[Rounding]
        return [1.0, 0.0] if left else [0.0, 1.0]
    reach = 2 if Mode == 2 else 1
    start = math.floor(-reach / scale) + 1
    d = [(start + k - ratio) * scale for k in range(2 - 2 * start)]
    w = [keys(v, Cubic or -0.75) if Mode == 2 else max(0.0, 1 - abs(v)) for v in d]
    return [v / sum(w) for v in w]


def resize_matrix(n, m, scale, crop, Mode=0, Coordinates=0, Rounding=0, Cubic=0.0, ExcludeOutside=False, Antialias=False):
    rows, outside = torch.zeros(m, n, dtype=torch.float64), torch.zeros(m, dtype=torch.bool)
    for i in range(m):
        x = position(i, n, m, scale, Coordinates, crop)
        if abs(x - round(x)) < 1e-9:
            x = float(round(x))  # as a quotient it may be a little off
        if Coordinates == 5 and not 0 <= x <= n - 1:
            outside[i] = True
            continue
        left = math.ceil(x) - 1
        w = coefficients(x - left, scale, Mode, Rounding, Cubic, Antialias)
        at = [left + 1 - len(w) // 2 + k for k in range(len(w))]
        if ExcludeOutside and Mode:
            w = [v if 0 <= k < n else 0.0 for v, k in zip(w, at)]
            w = [v / sum(w) for v in w]
        for v, k in zip(w, at):
            rows[i, min(max(k, 0), n - 1)] += v
    return rows, outside


def native_resize(x, Sizes, Mode=0, Coordinates=0, Rounding=0, Scales=(), Cubic=0.0, ExcludeOutside=False, Antialias=False, **_):
    """PyTorch's own function, or None where it lacks the options."""
    options = {"size": Sizes} if not Scales else {"scale_factor": Scales, "recompute_scale_factor": False}
    if Antialias and Mode:
        known = ExcludeOutside and Coordinates == 0 and not Scales and (Mode == 1 or Cubic == -0.5)
        return F.interpolate(x, mode=["", "bilinear", "bicubic"][Mode], antialias=True, **options) if known else None
    if ExcludeOutside:
        return None
    if Mode == 0:
        mode = {(4, 2): "nearest", (0, 1): "nearest-exact"}.get((Coordinates, Rounding))
        return F.interpolate(x, mode=mode, **options) if mode and not Scales else None
    if Coordinates not in (0, 3) or Mode == 2 and Cubic not in (0, -0.75):
        return None
    return F.interpolate(x, mode=["", "bilinear", "bicubic"][Mode], align_corners=Coordinates == 3, **options)


def resize(x, Axes, Sizes, Options):
    if Axes == [2, 3] and x.dim() == 4:
        y = native_resize(x, Sizes, **Options)
        if y is not None:
            return y
    o = dict(Options)
    scales, crops, value = o.pop("Scales", None) or [], o.pop("Crop", None) or [], o.pop("Extrapolation", 0.0)
    beyond = torch.zeros([1] * x.dim(), dtype=torch.bool)
    y = x
    for i, (axis, m) in enumerate(zip(Axes, Sizes)):
        n = x.shape[axis]
        rows, outside = resize_matrix(n, m, scales[i] if scales else m / n, crops[i] if crops else None, **o)
        y = torch.movedim(torch.movedim(y, axis, -1) @ rows.to(x.dtype).T, -1, axis)
        beyond = beyond | outside.reshape([m] + [1] * (x.dim() - 1 - axis))
    return torch.where(beyond, value, y)


def pixels_beside(v, n):
    """The two pixels that a sample is between, with their weights."""
    if not -1 <= v <= n:
        return [(0, 0.0), (0, 0.0)]
    v = min(max(v, 0.0), n - 1)
    low = min(int(v), n - 1)
    return [(low, 1 - (v - low)), (min(low + 1, n - 1), v - low)]


def roi_align(x, boxes, images, Size, Samples, Scale=0.0, Max=False, HalfPixel=False):
    """torchvision's roi_align, sample by sample."""
    offset, (h, w), results = 0.5 if HalfPixel else 0.0, x.shape[2:], []
    for box, image in zip((boxes.detach().double() * (Scale or 1.0)).tolist(), images.tolist()):
        extent = [box[3] - box[1], box[2] - box[0]]
        extent = extent if HalfPixel else [max(e, 1.0) for e in extent]
        starts, bins = [box[1] - offset, box[0] - offset], []
        beside = [[pixels_beside(starts[a] + extent[a] * (k + 0.5) / (Size[a] * Samples), n) for k in range(Size[a] * Samples)] for a, n in enumerate((h, w))]
        for i in range(Size[0]):
            for j in range(Size[1]):
                samples = []
                for ys in beside[0][i * Samples:(i + 1) * Samples]:
                    for xs in beside[1][j * Samples:(j + 1) * Samples]:
                        corners = [x[image, :, r, c] * (wr * wc) for r, wr in ys for c, wc in xs]
                        samples.append(functools.reduce(torch.maximum if Max else torch.add, corners))
                bins.append(functools.reduce(torch.maximum, samples) if Max else sum(samples) / len(samples))
        results.append(torch.stack(bins, -1).reshape(x.shape[1], *Size))
    return torch.stack(results) + 0 * boxes.sum()


IMAGES = {
    **of_axes("Conv%dD", convolution), **of_axes("ConvTranspose%dD", transposed),
    **of_axes("MaxPool%dD", max_pool), **of_axes("AvgPool%dD", avg_pool), **of_axes("LpPool%dD", lp_pool),
    **of_axes("GlobalMaxPool%dD", whole("max")), **of_axes("GlobalAvgPool%dD", whole("avg")),
    **of_axes("AdaptiveMaxPool%dD", adaptive("max")), **of_axes("AdaptiveAvgPool%dD", adaptive("avg")),
    "ResizeNearest": lambda x, Size: F.interpolate(x, Size, mode="nearest"),
    "Resize": resize,
    "RoIAlign": roi_align,
    "GridSample": lambda x, grid, Sampling=0, Border=0, AlignCorners=False: F.grid_sample(
        x, grid, ["bilinear", "nearest", "bicubic"][Sampling], ["zeros", "border", "reflection"][Border], AlignCorners),
    "ResizeBilinear": lambda x, Size: F.interpolate(x, Size, mode="bilinear", align_corners=False),
}

# ---- moving and choosing elements


def taken(x, axis, places):
    return x.index_select(axis, torch.tensor(places, dtype=torch.int64))


def sliced(x, Ranges):
    for axis, (start, stop, step) in enumerate(Ranges):
        x = taken(x, axis, range(x.shape[axis])[start:stop:step])
    return x


def padded(x, Mode, Before, After, Value=0.0):
    if Mode == "constant":
        return F.pad(x, sides(list(zip(Before, After))), value=Value)
    mirror = {  # the place of what stands n before the first element, or behind the last
        "edge": lambda i, n: min(max(i, 0), n - 1),
        "reflect": lambda i, n: n - 1 - abs(n - 1 - abs(i)),
        "symmetric": lambda i, n: -1 - i if i < 0 else 2 * n - 1 - i if i >= n else i,
    }[Mode]
    for axis, (before, after) in enumerate(zip(Before, After)):
        n = x.shape[axis]
        x = taken(x, axis, [mirror(i, n) for i in range(-before, n + after)])
    return x


def squeezed(x, Axes):
    return x.squeeze(tuple(Axes))


def unsqueezed(x, Axes):
    for axis in sorted(Axes):
        x = x.unsqueeze(axis)
    return x


def top_k(x, K, Axis, Part="values"):
    values, places = x.sort(dim=Axis, descending=True, stable=True)  # PyTorch's topk has equal elements in no order
    return {"values": values, "places": places}[Part].narrow(Axis, 0, K)


def bottom_k(x, K, Axis, Part="values"):
    values, places = x.sort(dim=Axis, stable=True)
    return {"values": values, "places": places}[Part].narrow(Axis, 0, K)


def gather_nd(x, ids, Batch=0):
    lead, k = x.shape[:Batch], ids.shape[-1]
    rows = math.prod(lead)
    xs = x.reshape(rows, *x.shape[Batch:])
    is_ = ids.long().reshape(rows, -1, k)
    y = torch.stack([xs[(r, *is_[r].unbind(-1))] for r in range(rows)])
    return y.reshape(ids.shape[:-1] + x.shape[Batch + k:])


COMBINED = [None, torch.add, torch.mul, torch.maximum, torch.minimum]


def scattered(x, places, values, combine):
    """x with values at places, each a tuple for indexing, one after the other."""
    f = COMBINED[combine]
    for at, v in zip(places, values):
        index = tuple(torch.tensor(i) for i in at)
        x = x.index_put(index, v if f is None else f(x[index], v))
    return x


def scatter_nd(x, ids, values, Combine=0):
    k = ids.shape[-1]
    return scattered(x, ids.reshape(-1, k).tolist(), values.reshape(-1, *x.shape[k:]), Combine)


def scatter_along(x, ids, values, Axis, Combine=0):
    places = [list(at) for at in torch.cartesian_prod(*[torch.arange(n) for n in ids.shape]).reshape(-1, ids.dim()).tolist()]
    for at, i in zip(places, ids.flatten().tolist()):
        at[Axis] = i
    return scattered(x, places, values.flatten(), Combine)


def reverse_sequence(x, lengths, Batch, Axis):
    rows = []
    for row, n in zip(x.unbind(Batch), lengths.tolist()):
        axis = Axis - (Batch < Axis)
        rows.append(torch.cat([row.narrow(axis, 0, n).flip(axis), row.narrow(axis, n, row.shape[axis] - n)], axis))
    return torch.stack(rows, Batch)


def depth_to_space(x, K):
    n, c, h, w = x.shape
    return x.reshape(n, K, K, c // K**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // K**2, h * K, w * K)


def space_to_depth(x, K):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // K, K, w // K, K).permute(0, 3, 5, 1, 2, 4).reshape(n, c * K**2, h // K, w // K)


def gather(x, ids, Axis):
    y = x.index_select(Axis, ids.long().flatten())
    return y.reshape(x.shape[:Axis] + ids.shape + x.shape[Axis + 1:])


def update_slice(x, part, Axis, Start):
    before, after = x.narrow(Axis, 0, Start), x.narrow(Axis, Start + part.shape[Axis], x.shape[Axis] - Start - part.shape[Axis])
    return torch.cat([before, part, after], Axis)


MOVES = {
    "Transpose": lambda x, Perm: x.permute(Perm),
    "Concat": lambda *xs, Axis: torch.cat(xs, Axis),
    "Slice": sliced,
    "Pad": padded,
    "Reshape": lambda x, Shape: x.reshape(Shape),
    "Flatten": lambda x: x.flatten(1),
    "Squeeze": squeezed,
    "Unsqueeze": unsqueezed,
    "Full": lambda x, Shape, V: torch.full(Shape, V, dtype=x.dtype),
    "Scalar": lambda x, V: torch.tensor(V, dtype=x.dtype),
    "OneHot": lambda i, x, Classes: F.one_hot(i.long(), Classes).to(x.dtype),
    "Gather": gather,
    "UpdateSlice": update_slice,
    "GatherAlong": lambda x, i, Axis: x.gather(Axis, i.long()),
    "TopK": top_k,
    "BottomK": bottom_k,
    "GatherND": gather_nd,
    "ScatterND": scatter_nd,
    "ScatterAlong": scatter_along,
    "ReverseSequence": reverse_sequence,
    "DepthToSpace": depth_to_space,
    "PixelShuffle": lambda x, K: F.pixel_shuffle(x, K),
    "SpaceToDepth": space_to_depth,
    "PixelUnshuffle": lambda x, K: F.pixel_unshuffle(x, K),
    "Tril": lambda x, K: x.tril(K),
    "Triu": lambda x, K: x.triu(K),
    "Embedding": lambda w, i: F.embedding(i.long(), w),
}

PYTORCH = {**ELEMENTWISE, **REDUCTIONS, **LOSSES, **NORMALISATIONS, **PRODUCTS, **IMAGES, **MOVES}

# ---- where Plexaura means something else


def clip(x, Lo, Hi):
    return torch.where((x == Lo) | (x == Hi), x, x.clamp(Lo, Hi))


class Quotient(torch.autograd.Function):
    """a/b, whose slopes are dy/b and -(dy/b)*y, so that a masked dy of 0 gives 0 unless y itself is infinite."""
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return torch.div(a, b)

    @staticmethod
    def backward(ctx, dy):
        a, b = ctx.saved_tensors
        da = Quotient.apply(dy, b)
        db = -(da * Quotient.apply(a, b))
        return da.sum_to_size(a.shape), db.sum_to_size(b.shape)


def quotient(a, b):
    return Quotient.apply(a, b) if a.is_floating_point() else divide(a, b)


def hard_swish(x):
    at = (x == -3) | x.isnan()
    parabola = torch.where(at, x, 0)  # elsewhere no number becomes NaN in the gradient
    y = torch.where(at, parabola * (parabola + 3) / 6, F.hardswish(x))
    return torch.where(x == -math.inf, 0, y)


def elu(x, Alpha):
    at = (x == 0) | x.isnan()
    return torch.where(at, Alpha * torch.expm1(torch.where(at, x, 0)), F.elu(x, Alpha))


def selu(x):
    scale = 1.0507009873554804934193349852946
    at = (x == 0) | x.isnan()
    return torch.where(at, scale * 1.6732632423543772848170429916717 * torch.expm1(torch.where(at, x, 0)), F.selu(x))


def prelu(x, a):
    slope = a if a.numel() == 1 else a.reshape([-1] + [1] * (x.dim() - 2))
    return torch.where(x == 0, slope * x, PYTORCH["PReLU"](x, a))


def hard_sigmoid(x):
    return torch.where(x.isnan(), x / 6 + 0.5, PYTORCH["HardSigmoid"](x))


def limits(f):
    """f, of which the slope at infinity is its limit: 1 above, 0 below."""
    def ours(x):
        y = f(torch.where(x.isinf(), 0, x))
        return torch.where(x == math.inf, x, torch.where(x == -math.inf, math.nan, y))
    return ours


def softplus(x):
    high = torch.where(x >= 20, x, 20.0)
    return torch.where(x >= 20, -F.logsigmoid(-high), F.softplus(x))


def absolute(x):
    lost = x.isnan() if x.is_floating_point() else x != x
    nan = torch.where(lost, x, 0)
    return torch.where(lost, nan * nan, torch.abs(x))  # of which the slope is NaN too


def expm1(x):
    low = torch.where(x < -4, x, -4.0)
    return torch.where(x < -4, torch.exp(low) - 1, torch.expm1(x))


def gelu_tanh(x):
    tail = x < -4  # where 1 + tanh(u) is a small difference
    low = torch.where(tail, x, -4.0)
    u = math.sqrt(2 / math.pi) * (low + 0.044715 * low ** 3)
    return torch.where(tail, low * torch.sigmoid(2 * u), F.gelu(x, approximate="tanh"))


def sign(x):
    return torch.where(x.isnan(), x.detach(), torch.sign(x)) if x.is_floating_point() else torch.sign(x)


def first_nan(f):
    """Max pooling in which the first NaN of a window wins, as the first of equal numbers does."""
    def pool(x, **attrs):
        lost, most = x.isnan(), x == math.inf
        if not lost.any():
            return f(x, **attrs)
        y = f(Swapped.apply(x, torch.where(lost, 1e38, torch.where(most, 1e37, x))), **attrs)
        return Swapped.apply(y, torch.where(y == 1e38, math.nan, torch.where(y == 1e37, math.inf, y)))
    return pool


def no_share(f, keep):
    """An extreme of which no element has a share where it is NaN, since none equals it."""
    def reduce(x, Axes):
        lost = f(x.detach(), dim=Axes, keepdim=True).isnan()
        y = f(torch.where(lost, 0, x), dim=Axes, keepdim=keep)
        return torch.where(lost.reshape(y.shape), math.nan, y)
    return reduce


FIRST_NAN = {op: first_nan(f) for op, f in IMAGES.items() if "MaxPool" in op}
NO_SHARE = {
    "Max": no_share(torch.amax, False), "MaxKeep": no_share(torch.amax, True),
    "Min": no_share(torch.amin, False), "MinKeep": no_share(torch.amin, True),
}


def product(x, Axes):
    """A product whose slope is that of the others, and not the result over the element."""
    if x.isfinite().all():
        return PYTORCH["Prod"](x, Axes)
    for axis in sorted(Axes, reverse=True):
        x = functools.reduce(torch.mul, x.unbind(axis))
    return x


def squares(x, Axes):
    """A variance whose slope sees all deviations, which infinity makes NaN."""
    if x.isfinite().all():
        return PYTORCH["Variance"](x, Axes)
    return (x - x.mean(Axes, keepdim=True)).square().mean(Axes)


def line(*elements, axes=2, **attrs):
    """A call of a function of lines (1,W), or of so many more axes."""
    def call(f):
        xs, _ = at(*elements)(torch.neg)
        return xs, f(xs[0].reshape([1] * axes + [-1]), **attrs).flatten()
    return call


def at(*elements, **attrs):
    """A call of a function: what it is differentiated by, and the result."""
    def call(f):
        x = torch.tensor(elements, dtype=torch.float64, requires_grad=True)
        others = [a for a in attrs.values() if isinstance(a, torch.Tensor)]
        return [x, *others], f(x, **attrs)
    return call


# By name: the function, what it is here, and a call that shows the difference.
CONVENTIONS = {
    "clamp at a bound": ("Clip", clip, at(-1.0, 1.0, Lo=-1, Hi=1)),
    "slope of division by the smallest numbers": ("Div", quotient, at(0.0, b=torch.tensor([1e-310], dtype=torch.float64, requires_grad=True))),
    "hardswish at -3": ("HardSwish", hard_swish, at(-3.0)),
    "hardswish at -Inf": ("HardSwish", hard_swish, at(-math.inf)),
    "slope of hardswish at NaN": ("HardSwish", hard_swish, at(math.nan)),
    "sign of NaN": ("Sign", sign, at(math.nan)),
    "slope of abs at NaN": ("Abs", absolute, at(math.nan)),
    "slope of gelu at infinity": ("GELU", limits(F.gelu), at(math.inf, -math.inf)),
    "slope of gelu's tanh form at infinity": ("GELUTanh", limits(gelu_tanh), at(math.inf, -math.inf)),
    "slope of silu at infinity": ("SiLU", limits(F.silu), at(math.inf, -math.inf)),
    "slope of mish at infinity": ("Mish", limits(F.mish), at(math.inf, -math.inf)),
    "curvature of elu at 0": ("ELU", elu, at(0.0, Alpha=1.0)),
    "slope of selu at NaN": ("SELU", selu, at(math.nan)),
    "slope of elu at NaN": ("ELU", elu, at(math.nan, Alpha=1.0)),
    "curvature of selu at 0": ("SELU", selu, at(0.0)),
    "curvature of prelu at 0": ("PReLU", prelu, at(0.0, a=torch.tensor([0.5], dtype=torch.float64, requires_grad=True))),
    "slope of hardsigmoid at NaN": ("HardSigmoid", hard_sigmoid, at(*[math.nan] * 64)),
    "slope of expm1 in its tail": ("Expm1", expm1, at(-50.0)),
    "tail of gelu's tanh form": ("GELUTanh", limits(gelu_tanh), at(-9.0)),
    "softplus beyond 20": ("Softplus", softplus, at(30.0)),
    "slope of max pooling at several NaN": ("MaxPool1D", FIRST_NAN["MaxPool1D"], line(math.nan, math.nan, Kernel=2, Stride=1, Dilation=1, Pad=[0, 0], Ceil=False)),
    "slope of prod by what is not finite": ("Prod", product, line(math.inf, 2.0, axes=1, Axes=[1])),
    "slope of variance at infinity": ("Variance", squares, line(math.inf, 2.0, axes=1, Axes=[1])),
    "slope of max and min at NaN": ("MaxKeep", NO_SHARE["MaxKeep"], at(math.nan, 1.0, Axes=[0])),
}

FUNCTIONS = {**PYTORCH, **FIRST_NAN, **NO_SHARE, **{op: ours for op, ours, _ in CONVENTIONS.values()}}
