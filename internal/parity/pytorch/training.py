#!/usr/bin/env python3
"""Writes training.json.gz: loss and correct answers of every step of a training, by PyTorch (2.15.0) in
float32 and in float64.

LeNet-5 learns MNIST for two epochs by SGD with a rate of 0.05 and a momentum of 0.9. Batches are 64
images, in the order of the file; the last of an epoch is smaller. Parameters are spread evenly up to
1/sqrt(fan-in) at first, as PyTorch's are, by scattered().
"""
import gzip
import pathlib

import numpy
import torch
import torch.nn.functional as F

from common import rounded, write
from models import lenet

MNIST = pathlib.Path(__file__).parents[3] / "data" / "mnist"
EPOCHS, BATCH, RATE, MOMENTUM = 2, 64, 0.05, 0.9


def read(name, header):
    return numpy.frombuffer(gzip.open(MNIST / name).read(), numpy.uint8, offset=header)


pixels = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype(numpy.float32)
mean, std = numpy.float32(0.1307), numpy.float32(0.3081)
images = torch.from_numpy((pixels / numpy.float32(255) - mean) / std)
labels = torch.from_numpy(read("train-labels-idx1-ubyte.gz", 8).astype(numpy.int64))


def scattered(p, shape, scale):
    """Element i of tensor p, from -scale to scale, is a hash of both: the counter's patterns are slow to learn."""
    h = torch.arange(torch.Size(shape).numel()) + 1000003 * p
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    h ^= h >> 16
    return rounded((h.to(torch.float64) / 2**31 - 1) * scale).reshape(shape)


def train(dtype):
    net = lenet().to(dtype)
    params = list(net.parameters())
    with torch.no_grad():
        for p, t in enumerate(params):
            weight = params[p - p % 2]  # biases come after their weights
            t.copy_(scattered(p, t.shape, (weight.shape[0] / weight.numel()) ** 0.5))
    optimizer = torch.optim.SGD(params, lr=RATE, momentum=MOMENTUM)
    losses, correct = [], []
    for _ in range(EPOCHS):
        for x, y in zip(images.to(dtype).split(BATCH), labels.split(BATCH)):
            logits = net(x)
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            correct.append((logits.argmax(1) == y).sum().item())
    return {"dtype": str(dtype)[len("torch."):], "losses": " ".join("%.12g" % l for l in losses), "correct": correct}


write("training.json.gz", [train(torch.float32), train(torch.float64)])
