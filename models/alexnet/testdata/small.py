#!/usr/bin/env python3
"""Writes pytorch.safetensors, a weights file as PyTorch 2.15 and the package safetensors 0.8.0 write it, and pytorch.json, its logits.

The network is torchvision's alexnet (0.29.2) with 32 times fewer channels and 5 classes, so that the file is small; the names are torchvision's and
the values random ones of torch's, in float32, large enough for the picture to count. The logits are those of ../../testdata/cat.png, normalised, computed in float64.
"""
import json, os
import torch, torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.transforms import functional as images

torch.set_grad_enabled(False)
torch.manual_seed(1)
here = os.path.dirname(os.path.abspath(__file__))


def narrow(module):
    """Replaces the layers that have weights by narrow ones."""
    for name, layer in module.named_children():
        if isinstance(layer, nn.Conv2d):
            wide = 32 if layer.in_channels > 3 else 1
            setattr(module, name, nn.Conv2d(layer.in_channels // wide, layer.out_channels // 32, layer.kernel_size, layer.stride, layer.padding))
        elif isinstance(layer, nn.Linear):
            wide = 32 if layer.in_features == 9216 else 256
            out = 5 if layer.out_features == 1000 else layer.out_features // 256
            setattr(module, name, nn.Linear(layer.in_features // wide, out))
        else:
            narrow(layer)


net = torchvision.models.alexnet(weights=None)
narrow(net)
for parameter in net.parameters():
    if parameter.dim() > 1:
        nn.init.kaiming_normal_(parameter)
net.eval()
save_file(net.state_dict(), os.path.join(here, "pytorch.safetensors"), metadata={"format": "pt"})
pixels = images.pil_to_tensor(Image.open(os.path.join(here, "..", "..", "testdata", "cat.png"))).double() / 255
photo = images.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])[None]
with open(os.path.join(here, "pytorch.json"), "w") as f:
    json.dump(net.double()(photo)[0].tolist(), f)
