"""Writes plateau.json: values at random, and the learning rates that PyTorch's ReduceLROnPlateau makes of them.

    python3 train/callbacks/testdata/plateau.py > train/callbacks/testdata/plateau.json
"""

import json
import random
import sys

import torch

random.seed(13)
cases = []
for _ in range(40):
    lower, patience, cooldown = random.random() < 0.5, random.randint(1, 4), random.choice([0, 0, 1, 3])
    factor, delta, least = random.choice([0.1, 0.5, 0.9]), random.choice([0, 0, 0.05, 0.5]), random.choice([0, 0, 0.2])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min" if lower else "max", factor=factor, patience=patience - 1, threshold=delta, threshold_mode="abs", cooldown=cooldown, min_lr=least, eps=0
    )
    values, rates, level = [], [], 1.0
    for _ in range(25):
        level += random.gauss(0, 0.1) * (1 if random.random() < 0.5 else 0)
        values.append(round(level, 3))
        optimizer.step()
        schedule.step(values[-1])
        rates.append(optimizer.param_groups[0]["lr"])
    cases.append({"lower": lower, "patience": patience, "cooldown": cooldown, "factor": factor, "delta": delta, "least": least, "values": values, "rates": rates})
json.dump({"torch": torch.__version__, "cases": cases}, sys.stdout, separators=(",", ":"))
print()
