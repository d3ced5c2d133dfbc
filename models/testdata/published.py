#!/usr/bin/env python3
"""Writes published.json: of each model the names and shapes of its parameters and running statistics, and its logits for two images.

Values come from a counter, so that the fixture is small: element i of tensor p (in the order of the state dict) is v = ((7919 i + 131 p) mod
1009) / 504.5 - 1, times 1/sqrt(fan-in) for weights of two axes or more; 1 + 0.1 v for the weight of a normalisation and for running
variances; 0.1 v for all others. The first image is p = 1000, v itself; the second is the photograph cat.png, normalised. Logits are computed in
float64, by torchvision 0.29.2 and, for the network of 2012, which it lacks, by the module below.

    published.py         writes published.json
    published.py photo   writes cat.png: cat.jpg as torchvision prepares it, shorter side 256, centre 224
    published.py file F  writes a weights file F of alexnet with torch's own random values, and its logits of cat.png to F.json
"""
import json, os, sys
import torch, torchvision
from PIL import Image
from torch import nn
from torchvision.transforms import functional as images

torch.set_grad_enabled(False)
here = os.path.dirname(os.path.abspath(__file__))
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class AlexNet2012(nn.Module):
    """Krizhevsky et al., 2012; the pixels that conv1 lacks in 224 are zeros at the bottom and to the right."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6, self.fc7, self.fc8 = nn.Linear(9216, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000)

    def forward(self, x):
        def normalised(x):
            return nn.functional.max_pool2d(nn.functional.local_response_norm(x, 5, alpha=5 * 1e-4, beta=0.75, k=2), 3, 2)

        x = normalised(self.conv1(nn.functional.pad(x, (0, 3, 0, 3))).relu())
        x = normalised(self.conv2(x).relu())
        x = self.conv5(self.conv4(self.conv3(x).relu()).relu()).relu()
        x = nn.functional.max_pool2d(x, 3, 2).flatten(1)
        return self.fc8(self.fc7(self.fc6(x).relu()).relu())


def counter(p, shape):
    n = 1
    for d in shape:
        n *= d
    i = torch.arange(n, dtype=torch.int64)
    return (((7919 * i + 131 * p) % 1009).double() / 504.5 - 1).reshape(shape)


def value(p, name, t):
    v = counter(p, t.shape)
    if t.dim() > 1:
        return v / (t.numel() / t.shape[0]) ** 0.5
    if name.endswith("running_var") or name.endswith("weight"):
        return 1 + 0.1 * v
    return 0.1 * v


def photo():
    pixels = images.pil_to_tensor(Image.open(os.path.join(here, "cat.png"))).double() / 255
    return images.normalize(pixels, MEAN, STD)[None]


def sketch(y):
    return {"norm": y.norm().item(), "sum": y.sum().item(), "sample": y[::50].tolist()}


def published():
    out = {}
    for ours, theirs in [("alexnet", "alexnet"), ("vgg11", "vgg11"), ("vgg16", "vgg16"), ("resnet18", "resnet18"), ("resnet50", "resnet50"),
                         ("squeezenet", "squeezenet1_1"), ("mobilenetv2", "mobilenet_v2"), ("alexnet2012", None)]:
        net = getattr(torchvision.models, theirs)(weights=None) if theirs else AlexNet2012()
        net = net.double().eval()
        state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
        for p, (name, t) in enumerate(state.items()):
            t.copy_(value(p, name, t))
        out[ours] = {
            "tensors": [[k] + list(v.shape) for k, v in state.items()],
            "parameters": sum(p.numel() for p in net.parameters()),
            **sketch(net(counter(1000, (1, 3, 224, 224)))[0]),
            "photo": sketch(net(photo())[0]),
        }
    with open(os.path.join(here, "published.json"), "w") as f:
        json.dump(out, f, separators=(",", ":"))


def prepare():
    img = Image.open(os.path.join(here, "cat.jpg"))
    images.center_crop(images.resize(img, 256), 224).save(os.path.join(here, "cat.png"), optimize=True)


def file(path):
    from safetensors.torch import save_file

    torch.manual_seed(1)
    net = torchvision.models.alexnet(weights=None).eval()
    save_file(net.state_dict(), path, metadata={"format": "pt"})
    with open(path + ".json", "w") as f:
        json.dump(net(photo().float())[0].tolist(), f)


{"": published, "photo": prepare, "file": file}[sys.argv[1] if len(sys.argv) > 1 else ""](*sys.argv[2:])
