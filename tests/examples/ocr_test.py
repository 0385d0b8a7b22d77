#!/usr/bin/env python3
"""examples/ocr on a page drawn here: straight, slanted and upside-down lines are found where they were drawn, and read as
ONNX Runtime reads the same lines and as they were drawn, but for spaces. Needs numpy, onnxruntime and pillow.
"""

import math
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "models"), str(HERE.parents[2] / "examples")]
from model_pack import ROOT, use_venv  # noqa: E402

use_venv("numpy", "onnxruntime", "PIL")

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

import packages  # noqa: E402

PAPER, INK = (250, 248, 240), (20, 20, 60)
# Text, size, place of its middle, degrees against the clock.
LINES = [("One sealed file for your model", 44, (340, 60), 0), ("Invoice 2026-11-25", 36, (220, 150), 0),
         ("Total: 1,234.50 EUR", 36, (660, 150), 0), ("This line is upside down", 40, (320, 250), 180),
         ("A slanted line", 40, (240, 360), 8), ("(c) 42 % & more?", 32, (660, 360), -6)]
SIZE = (900, 440)


def draw():
    """The page, and for each line its own upright picture."""
    page, strips = Image.new("RGB", SIZE, PAPER), []
    for text, size, (x, y), angle in LINES:
        font = ImageFont.load_default(size)
        left, top, right, bottom = font.getbbox(text)
        strip = Image.new("RGB", (right - left + 8, bottom - top + 8), PAPER)
        ImageDraw.Draw(strip).text((4 - left, 4 - top), text, INK, font)
        strips.append(strip)
        turned = strip.rotate(angle, Image.BICUBIC, expand=True, fillcolor=PAPER)
        page.paste(turned, (x - turned.width // 2, y - turned.height // 2))
    return page, strips


def read(session, symbols, strip):
    """As the package does it: height 48, blue first, -1 to 1, at least 320 wide; greedy CTC."""
    width = math.ceil(48 * strip.width / strip.height)
    pixels = np.asarray(strip.resize((width, 48), Image.BILINEAR), np.float32)[:, :, ::-1].transpose(2, 0, 1)
    x = np.zeros((1, 3, 48, max(320, width)), np.float32)
    x[0, :, :, :width] = (pixels / 255 - 0.5) / 0.5
    (steps,) = session.run(None, {session.get_inputs()[0].name: x})
    best = steps[0].argmax(1)
    return "".join(symbols[b] for b, before in zip(best, [0, *best[:-1]]) if b != before and b != 0)


def middle(corners):
    points = [tuple(map(float, c.split(","))) for c in corners.split(" ")]
    return sum(p[0] for p in points) / 4, sum(p[1] for p in points) / 4, points


def main():
    page, strips = draw()
    with tempfile.TemporaryDirectory() as tmp:
        path = pathlib.Path(tmp) / "page.ppm"
        page.save(path)
        done = subprocess.run([sys.executable, str(ROOT / "examples" / "ocr" / "run.py"), str(path)],
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr)
        sys.exit(done.returncode)
    found = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    with zipfile.ZipFile(packages.wheel("rapidocr-onnxruntime")) as archive:
        model = archive.read("rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    alphabet = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    symbols = ["", *alphabet, " "]
    failures = 0
    if len(found) != len(LINES):
        print(f"FAILED {len(found)} pieces of text, drawn were {len(LINES)}: {found}")
        failures += 1
    for (text, _, (x, y), angle), strip in zip(LINES, strips):
        reference = read(session, symbols, strip)
        near = [f for f in found if math.dist(middle(f[1])[:2], (x, y)) < 25]
        got = near[0][2] if near else None
        width = math.dist(*middle(near[0][1])[2][:2]) if near else 0
        # Whether the network sees a space depends on a pixel of the cut; letters it must get right.
        letters = {(t or "").replace(" ", "") for t in (got, reference, text)}
        fine = len(letters) == 1 and abs(width - strip.width) < 40
        print(f"{'ok' if fine else 'FAILED':<6} at {angle:3} degrees: {got!r}, ONNX Runtime {reference!r}, drawn {text!r}")
        failures += not fine
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
