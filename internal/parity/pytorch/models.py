#!/usr/bin/env python3
"""Writes models.json.gz: logits, loss and the gradient of every parameter of LeNet-5 and AlexNet, by
PyTorch (2.15.0) in float64.

The images are tensor 1000 of the counter, the labels 37 i mod classes. Parameter p, counted weight,
bias, layer by layer, is tensor p, times 1/sqrt(fan-in) for weights and 0.1 for biases. AlexNet is the
one-tower form (Krizhevsky, 2014) without dropout.
"""
import torch
import torch.nn.functional as F
from torch import nn

from common import counter, kept, write

torch.set_default_dtype(torch.float64)


def lenet():
    net = nn.Sequential()
    for name, layer in [
        ("conv1", nn.Conv2d(1, 6, 5, padding=2)), ("relu1", nn.ReLU()), ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(6, 16, 5)), ("relu2", nn.ReLU()), ("pool2", nn.MaxPool2d(2)), ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(400, 120)), ("relu3", nn.ReLU()), ("fc2", nn.Linear(120, 84)), ("relu4", nn.ReLU()), ("fc3", nn.Linear(84, 10)),
    ]:
        net.add_module(name, layer)
    return net


class AlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.classifier = nn.Sequential(  # numbered as with its dropouts
            nn.Identity(), nn.Linear(9216, 4096), nn.ReLU(), nn.Identity(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def fill(net):
    """Gives the parameters of a network their values, and returns them."""
    params = dict(net.named_parameters())
    with torch.no_grad():
        for p, t in enumerate(params.values()):
            t.copy_(counter(p, t.shape, (t.shape[0] / t.numel()) ** 0.5 if t.dim() > 1 else 0.1))
    return params


def model(name, net, image, classes, batch):
    params = fill(net)
    logits = net(counter(1000, [batch] + image))
    loss = F.cross_entropy(logits, 37 * torch.arange(batch) % classes)
    grads = torch.autograd.grad(loss, list(params.values()))
    values = [("logits", logits), ("loss", loss)] + list(zip(params, grads))
    return {"name": name, "batch": batch, "values": [{"name": n, **kept(v)} for n, v in values]}


if __name__ == "__main__":
    write("models.json.gz", [
        model("lenet", lenet(), [1, 28, 28], 10, 2),
        model("lenet", lenet(), [1, 28, 28], 10, 64),
        model("alexnet", AlexNet(), [3, 224, 224], 1000, 2),
    ])
