#!/usr/bin/env python3
"""Writes pillow.json: pictures prepared by Pillow (9.4.0) as torchvision prepares them for
evaluation, Resize(shorter) with bilinear filtering, then CenterCrop((h, w)).

Channel c of pixel (x, y) of a picture is (x*x*(c+2) + 31*y*(c+1) + x*y + 7*c) % 256 in every
second block of 8 by 8 pixels, (9*x + 5*y + 60*c) % 256 in the others. A pixel of the result is red, green, blue, or
the luma alone where the mode is L.
"""
import json
import pathlib

from PIL import Image


def pixel(x, y, c):
    if (x // 8 + y // 8) % 2:
        return (x * x * (c + 2) + 31 * y * (c + 1) + x * y + 7 * c) % 256
    return (9 * x + 5 * y + 60 * c) % 256


def picture(w, h):
    img = Image.new("RGB", (w, h))
    img.putdata([tuple(pixel(x, y, c) for c in range(3)) for y in range(h) for x in range(w)])
    return img


def prepare(img, shorter, h, w):
    if img.width < img.height:
        size = (shorter, int(shorter * img.height / img.width))
    else:
        size = (int(shorter * img.width / img.height), shorter)
    img = img.resize(size, Image.BILINEAR)
    top, left = int(round((img.height - h) / 2.0)), int(round((img.width - w) / 2.0))
    return img.crop((left, top, left + w, top + h))


cases = []
for w, h, shorter, crop, mode in [
    (40, 30, 16, (14, 14), "RGB"),
    (31, 57, 16, (11, 16), "RGB"),
    (57, 31, 16, (16, 13), "L"),
    (10, 13, 24, (24, 20), "RGB"),
    (20, 20, 20, (20, 20), "RGB"),
    (90, 7, 5, (3, 4), "RGB"),
]:
    # Luma is linear: it is taken last, as the package does.
    out = prepare(picture(w, h), shorter, *crop).convert(mode)
    cases.append({"size": [w, h], "shorter": shorter, "crop": list(crop), "mode": mode, "pixels": list(out.tobytes())})

pathlib.Path(__file__).with_name("pillow.json").write_text(json.dumps(cases) + "\n")
