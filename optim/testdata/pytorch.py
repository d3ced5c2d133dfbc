#!/usr/bin/python3
"""Writes pytorch.json: what PyTorch's optimisers and schedulers do, for the tests of optim.

A layer tanh(x·Wᵀ+b) is fitted to y with the mean squared error, the whole batch a step.
Made with PyTorch 2.15.0 on a CPU.
"""

import inspect
import json

import torch
from torch.optim import SGD, Adam, AdamW, Muon, RMSprop, _muon, lr_scheduler
from torch.optim.swa_utils import AveragedModel

STEPS = 10
SHOWN = (1, 2, 3, STEPS)  # the steps whose results are written

torch.manual_seed(1)
X = torch.rand(5, 3, dtype=torch.float64) * 2 - 1
Y = torch.rand(5, 4, dtype=torch.float64) * 2 - 1
W = torch.rand(4, 3, dtype=torch.float64) * 2 - 1
B = torch.rand(4, dtype=torch.float64) * 2 - 1


def flat(layer):
    return [v for p in (layer.weight, layer.bias) for v in p.detach().flatten().tolist()]


def trace(dtype, make, clip=None, batches=(5,), schedule=None, average=None):
    """The parameters after each of the steps shown, weight first; or their moving averages."""
    layer = torch.nn.Linear(3, 4, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(W)
        layer.bias.copy_(B)
    opt = make(layer)
    sched = schedule(opt) if schedule else None
    averaged = AveragedModel(layer, avg_fn=lambda a, p, n: average * a + (1 - average) * p) if average else None
    shown = {}
    for step in range(1, STEPS + 1):
        opt.zero_grad()
        for x, y in zip(X.to(dtype).split(batches), Y.to(dtype).split(batches)):
            loss = (torch.tanh(layer(x)) - y).square().mean()
            (loss * len(x) / len(X)).backward()
        if clip:
            clip(layer.parameters())
        opt.step()
        if sched:
            sched.step()
        if averaged:
            averaged.update_parameters(layer)
        if step in SHOWN:
            shown[step] = flat(averaged.module if averaged else layer)
    return shown


def rule(cls, **options):
    return lambda layer: cls(layer.parameters(), **options)


def all_groups(layer):
    return AdamW([
        {"params": [layer.bias], "weight_decay": 0.5},
        {"params": [layer.weight], "lr": 0.02},
    ], lr=0.05)


def both_clips(parameters):
    parameters = list(parameters)
    torch.nn.utils.clip_grad_value_(parameters, 0.03)
    torch.nn.utils.clip_grad_norm_(parameters, 0.05)


# PyTorch iterates in bfloat16; here in the type of the parameters, so that more than two digits can be compared.
exec(inspect.getsource(_muon._zeropower_via_newtonschulz).replace("torch.bfloat16", "grad.dtype"), _muon.__dict__)


class Both:
    """Two optimisers as one."""

    def __init__(self, *opts):
        self.opts = opts

    def zero_grad(self):
        for o in self.opts:
            o.zero_grad()

    def step(self):
        for o in self.opts:
            o.step()


def muon(other=0.001, **options):
    decay = options.setdefault("weight_decay", 0)
    return lambda layer: Both(Muon([layer.weight], **options), AdamW([layer.bias], lr=other, weight_decay=decay))


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al., 2023."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (b1, b2), decay = group["lr"], group["betas"], group["weight_decay"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = (b1 * m + (1 - b1) * p.grad).sign()
                p -= lr * (update + decay * p)
                m.copy_(b2 * m + (1 - b2) * p.grad)


class LAMB(torch.optim.Optimizer):
    """Algorithm 2 of You et al., 2020, with the identity for phi."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (b1, b2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["t"] += 1
                state["m"] = b1 * state["m"] + (1 - b1) * p.grad
                state["v"] = b2 * state["v"] + (1 - b2) * p.grad ** 2
                m, v = state["m"] / (1 - b1 ** state["t"]), state["v"] / (1 - b2 ** state["t"])
                r = m / (v.sqrt() + eps)
                u = r + decay * p
                p -= lr * p.norm() / u.norm() * u


def groups(layer):
    return SGD([
        {"params": [layer.bias], "lr": 0.5, "weight_decay": 0},
        {"params": [layer.weight]},
    ], lr=0.1, momentum=0.9, weight_decay=0.1)


TRACES = {
    "sgd": dict(make=rule(SGD, lr=0.1)),
    "sgd momentum": dict(make=rule(SGD, lr=0.1, momentum=0.9)),
    "sgd dampening": dict(make=rule(SGD, lr=0.1, momentum=0.9, dampening=0.3)),
    "sgd nesterov": dict(make=rule(SGD, lr=0.1, momentum=0.9, nesterov=True)),
    "sgd decay": dict(make=rule(SGD, lr=0.1, weight_decay=0.2)),
    "sgd all": dict(make=rule(SGD, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.2)),
    "sgd dampening decay": dict(make=rule(SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.2)),
    "adam": dict(make=rule(Adam)),
    "adam lr": dict(make=rule(Adam, lr=0.1)),
    "adam options": dict(make=rule(Adam, lr=0.05, betas=(0.8, 0.9), eps=1e-3)),
    "adam beta1 0": dict(make=rule(Adam, lr=0.05, betas=(0.0, 0.9))),
    "adam decay": dict(make=rule(Adam, lr=0.05, weight_decay=0.2)),
    "adam amsgrad": dict(make=rule(Adam, lr=0.2, betas=(0.9, 0.5), amsgrad=True)),
    "adam all": dict(make=rule(Adam, lr=0.1, betas=(0.8, 0.6), eps=1e-3, weight_decay=0.2, amsgrad=True)),
    "adamw": dict(make=rule(AdamW)),
    "adamw options": dict(make=rule(AdamW, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.2)),
    "adamw amsgrad": dict(make=rule(AdamW, lr=0.2, betas=(0.9, 0.5), weight_decay=0.2, amsgrad=True)),
    "rmsprop": dict(make=rule(RMSprop)),
    "rmsprop options": dict(make=rule(RMSprop, lr=0.02, alpha=0.9, eps=1e-3)),
    "rmsprop decay": dict(make=rule(RMSprop, weight_decay=0.2)),
    "rmsprop momentum": dict(make=rule(RMSprop, momentum=0.9)),
    "rmsprop centered": dict(make=rule(RMSprop, alpha=0.9, centered=True)),
    "rmsprop all": dict(make=rule(RMSprop, lr=0.005, alpha=0.9, eps=1e-3, weight_decay=0.2, momentum=0.5, centered=True)),
    "clip norm": dict(make=rule(SGD, lr=0.5, momentum=0.9), clip=lambda p: torch.nn.utils.clip_grad_norm_(p, 0.1)),
    "clip norm idle": dict(make=rule(SGD, lr=0.5), clip=lambda p: torch.nn.utils.clip_grad_norm_(p, 100)),
    "clip value": dict(make=rule(Adam, lr=0.05, eps=0.01), clip=lambda p: torch.nn.utils.clip_grad_value_(p, 0.02)),
    "groups": dict(make=groups),
    "clip both": dict(make=rule(SGD, lr=0.5, momentum=0.9), clip=both_clips),
    "group decay": dict(make=all_groups),
    "accumulate": dict(make=rule(Adam, lr=0.1, weight_decay=0.2), batches=(2, 2, 1),
                       clip=lambda p: torch.nn.utils.clip_grad_norm_(p, 0.1)),
    "schedule": dict(make=groups, schedule=lambda o: lr_scheduler.StepLR(o, 2, 0.5)),
    "adam schedule": dict(make=rule(AdamW, lr=0.1), schedule=lambda o: lr_scheduler.CosineAnnealingLR(o, 12, 0.01)),
    "one cycle": dict(make=rule(SGD, lr=0.5, momentum=0.9, nesterov=True), schedule=lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=11, cycle_momentum=False)),
    "warmup": dict(make=rule(RMSprop, lr=0.05, momentum=0.5), schedule=lambda o: lr_scheduler.LinearLR(o, start_factor=0.2, total_iters=4)),
    "average all": dict(make=rule(AdamW, lr=0.1, weight_decay=0.2), clip=lambda p: torch.nn.utils.clip_grad_value_(p, 0.02), average=0.9,
                        schedule=lambda o: lr_scheduler.StepLR(o, 3, 0.5)),
    "average": dict(make=rule(SGD, lr=0.5), average=0.7),
    "muon": dict(make=muon(lr=0.02)),
    "muon options": dict(make=muon(other=0.05, lr=0.05, momentum=0.8, weight_decay=0.2, nesterov=False, ns_steps=3)),
    "lion": dict(make=rule(Lion)),
    "lion options": dict(make=rule(Lion, lr=0.02, betas=(0.8, 0.9), weight_decay=0.2)),
    "lamb": dict(make=rule(LAMB)),
    "lamb options": dict(make=rule(LAMB, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.2)),
}


def rates(schedule, lr=0.5, n=30):
    """The learning rate of each step."""
    opt = SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    sched = schedule(opt)
    rs = []
    for _ in range(n):
        rs.append(opt.param_groups[0]["lr"])
        opt.step()
        sched.step()
    return rs


def one_cycle(**options):
    return lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=31, cycle_momentum=False, **options)


def warmup(o):
    rise = lr_scheduler.LinearLR(o, start_factor=1 / 6, total_iters=5)
    return lr_scheduler.SequentialLR(o, [rise, lr_scheduler.CosineAnnealingLR(o, 24)], milestones=[6])


SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 7, 0.3),
    "step default": lambda o: lr_scheduler.StepLR(o, 10),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 30),
    "cosine floor": lambda o: lr_scheduler.CosineAnnealingLR(o, 29, 0.05),
    "one cycle": one_cycle(),
    "one cycle options": one_cycle(pct_start=0.5, div_factor=10, final_div_factor=20),
    "warmup": warmup,
}


def rounded(values):
    """Enough digits for float64 comparisons to 1e-10."""
    if isinstance(values, dict):
        return {k: rounded(v) for k, v in values.items()}
    return [float("%.13g" % v) for v in values]


with open("pytorch.json", "w") as f:
    json.dump({
        "x": X.flatten().tolist(), "y": Y.flatten().tolist(),
        "weight": W.flatten().tolist(), "bias": B.tolist(),
        "traces": {name: {"float32": rounded(trace(torch.float32, **t)), "float64": rounded(trace(torch.float64, **t))}
                   for name, t in TRACES.items()},
        "schedules": {name: rounded(rates(s)) for name, s in SCHEDULES.items()},
    }, f, indent=None, separators=(",", ":"))
    f.write("\n")
