#!/usr/bin/env python3
"""Writes oriented.json: a small picture with each orientation in its Exif data or its tag, by Pillow, and the pixels of
ImageOps.exif_transpose."""
import base64
import io
import json
import struct

from PIL import Image, ImageOps

W, H = 5, 3
img = Image.new("RGB", (W, H))
img.putdata([(50 * x, 80 * y, 20 * (x + y)) for y in range(H) for x in range(W)])
clear = img.convert("RGBA")
clear.putpixel((1, 0), (0, 0, 0, 0))
ORIENTATION = 0x0112

cases = []


def case(name, file):
    back = ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGBA")
    cases.append({"name": name, "worst": 0, "size": list(back.size), "file": base64.b64encode(file).decode(),
                  "pixels": base64.b64encode(back.tobytes()).decode()})


def saved(picture, orientation, **options):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    b = io.BytesIO()
    picture.save(b, exif=exif, **options)
    return b.getvalue()


def chunks(webp):
    """The chunks of a WebP file, as pairs of kind and content."""
    at, end = 12, 8 + struct.unpack("<I", webp[4:8])[0]
    while at < end:
        kind, n = webp[at:at + 4], struct.unpack("<I", webp[at + 4:at + 8])[0]
        yield kind, webp[at + 8:at + 8 + n]
        at += 8 + n + n % 2


def webp_of(parts):
    body = b"".join(kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for kind, content in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def big_endian(picture, orientation):
    """A TIFF file in the other order, whose tags are before the pixels."""
    w, h = picture.size
    pixels = picture.tobytes()
    tags = [(256, 3, 1, w), (257, 3, 1, h), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0), (274, 3, 1, orientation),
            (277, 3, 1, 1), (278, 3, 1, h), (279, 4, 1, len(pixels))]
    ahead = 8 + 2 + 12 * len(tags) + 4
    b = b"MM\0*" + struct.pack(">IH", 8, len(tags))
    for tag, kind, n, value in tags:
        value = ahead if tag == 273 else value
        b += struct.pack(">HHI", tag, kind, n) + (struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value))
    return b + struct.pack(">I", 0) + pixels


for o in range(1, 9):
    case(f"webp, lossless, {o}", saved(img, o, format="WEBP", lossless=True))
    case(f"webp, transparent, {o}", saved(clear, o, format="WEBP", lossless=True, exact=True))
    case(f"tiff, {o}", saved(img, o, format="TIFF"))
    case(f"tiff, deflate, {o}", saved(clear, o, format="TIFF", compression="tiff_adobe_deflate"))
    case(f"tiff, big-endian, {o}", big_endian(img.convert("L"), o))
    case(f"png, {o}", saved(img, o, format="PNG"))

six = list(chunks(saved(img, 6, format="WEBP", lossless=True)))
case("webp, Exif with its mark", webp_of([(k, b"Exif\0\0" + c if k == b"EXIF" else c) for k, c in six]))
case("webp, Exif of odd length", webp_of([(k, c + b"\0" * (1 - len(c) % 2) if k == b"EXIF" else c) for k, c in six]))
case("webp, Exif before the picture", webp_of([p for k in (b"VP8X", b"EXIF", b"VP8L") for p in six if p[0] == k]))
case("webp, Exif not announced", webp_of([(k, b"\0" + c[1:] if k == b"VP8X" else c) for k, c in six]))
case("webp, Exif behind the end", webp_of(six[:-1]) + webp_of(six[-1:])[12:])
case("webp, simple, Exif behind the picture", webp_of([p for p in six if p[0] != b"VP8X"]))

with open("oriented.json", "w") as f:
    json.dump(cases, f, separators=(",", ":"))
    f.write("\n")
