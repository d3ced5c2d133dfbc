#!/usr/bin/env python3
"""Writes attributions.json.gz: what captum (0.9.0, on PyTorch 2.15.0, in float64) says of an output of
LeNet-5 and AlexNet, for package inspect. It asks for captum beside what requirements.txt names.

Parameters are those of models.py, the image is tensor 1000 of the counter with a batch of one. The baseline
of integrated gradients is tensor 1001, times 0.1; the steps are those of Gauss and Legendre. What occlusion
puts in the place of a window is 0.
"""
import torch
from captum.attr import Deconvolution, IntegratedGradients, LayerGradCam, Occlusion, Saliency

from common import counter, kept, write
from models import AlexNet, fill, lenet

torch.set_default_dtype(torch.float64)


def attributions(name, net, image, target, layer, steps, window, stride):
    fill(net)
    net.eval()
    x, baseline = counter(1000, [1] + image), counter(1001, [1] + image, .1)
    found = {
        "logit": net(x)[0, target],
        "saliency": Saliency(net).attribute(x.clone().requires_grad_(), target=target)[0].amax(0),
        "deconvnet": Deconvolution(net).attribute(x.clone().requires_grad_(), target=target)[0],
        "gradcam": LayerGradCam(net, net.get_submodule(layer)).attribute(x, target=target, relu_attributions=True)[0, 0],
        "integrated": IntegratedGradients(net).attribute(x, baselines=baseline, target=target, n_steps=steps, method="gausslegendre")[0],
    }
    if window:
        found["occlusion"] = Occlusion(net).attribute(
            x, target=target, sliding_window_shapes=(image[0], window, window), strides=(image[0], stride, stride))[0, 0]
    return {
        "name": name, "target": target, "layer": layer, "steps": steps, "window": window, "stride": stride,
        "values": [{"name": n, **kept(v)} for n, v in found.items()],
    }


if __name__ == "__main__":
    write("attributions.json.gz", [
        attributions("lenet", lenet(), [1, 28, 28], 4, "relu2", 20, 7, 4),
        attributions("alexnet", AlexNet(), [3, 224, 224], 37, "features.11", 8, 0, 0),
    ])
