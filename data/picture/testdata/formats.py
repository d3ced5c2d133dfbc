#!/usr/bin/env python3
"""Writes formats.json: a smooth picture in each format, by Pillow, and its pixels as Pillow reads them."""
import base64
import io
import json

from PIL import Image

W, H = 23, 14
img = Image.new("RGB", (W, H))
img.putdata([(11 * x, 17 * y, 5 * (x + y)) for y in range(H) for x in range(W)])
clear = img.convert("RGBA")
clear.putalpha(Image.new("L", (W, H), 255))
for x in range(5):
    clear.putpixel((x, 3), (0, 0, 0, 0))
frames = [img.quantize(16), img.transpose(Image.Transpose.ROTATE_180).quantize(16)]

cases = []


def case(name, picture, worst=0, **options):
    b = io.BytesIO()
    picture.save(b, **options)
    back = Image.open(io.BytesIO(b.getvalue())).convert("RGBA")
    cases.append({"name": name, "worst": worst, "size": [W, H], "file": base64.b64encode(b.getvalue()).decode(),
                  "pixels": base64.b64encode(back.tobytes()).decode()})


case("webp, lossless", img, format="WEBP", lossless=True)
case("webp, lossless, transparent", clear, format="WEBP", lossless=True, exact=True)
case("webp, lossy", img, worst=24, format="WEBP", quality=90)  # libwebp smooths colours between pixels
case("webp, lossy, transparent", clear, worst=40, format="WEBP", quality=90)
case("bmp", img, format="BMP")
case("bmp, palette", img.quantize(16), format="BMP")
case("bmp, grey", img.convert("L"), format="BMP")
case("gif", img.quantize(16), format="GIF")
case("gif, animated", frames[0], format="GIF", save_all=True, append_images=frames[1:])
case("tiff", img, format="TIFF")
case("tiff, lzw", img, format="TIFF", compression="tiff_lzw")
case("tiff, deflate", img, format="TIFF", compression="tiff_adobe_deflate")
case("tiff, packbits", img, format="TIFF", compression="packbits")
case("tiff, grey", img.convert("L"), format="TIFF")
case("tiff, transparent", clear, format="TIFF")

with open("formats.json", "w") as f:
    json.dump(cases, f, separators=(",", ":"))
    f.write("\n")
