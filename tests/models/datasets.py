"""Labelled data of ../shared/data as network inputs, prepared as the SOURCE.md files say; real files for magika.

Everything is float32 NCHW (magika: int32). Needs numpy and pillow.
"""

import csv
import os
import pathlib

import numpy as np
from PIL import Image

from magika_features import features
from model_pack import shared_dir

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def imagenet():
    """(file, class) of every picture."""
    folder = shared_dir() / "data" / "imagenet-sample-500"
    with (folder / "labels.csv").open() as file:
        rows = list(csv.reader(file))
    return [(folder / "images" / row[0], int(row[1])) for row in rows if row[1].isdigit()]


def crop(file, size):
    """The middle of a picture, whose short side is scaled to 256, as RGB bytes."""
    image = Image.open(file).convert("RGB")
    if min(image.size) != 256:
        scale = 256 / min(image.size)
        image = image.resize([round(s * scale) for s in image.size], Image.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)), np.float32)


def normalized(file, size=224):
    return ((crop(file, size) / 255 - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1)


def caffe(file, size=227):
    """Blue, green, red, minus the means, not scaled: squeezenet1_1."""
    return (crop(file, size)[:, :, ::-1] - np.array([104, 117, 123], np.float32)).transpose(2, 0, 1)


def cifar10():
    """(pictures, labels)"""
    raw = np.fromfile(shared_dir() / "data" / "cifar10-test-1000" / "test_1000.bin", np.uint8).reshape(-1, 3073)
    pictures = raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    return (pictures - IMAGENET_MEAN[:, None, None]) / IMAGENET_STD[:, None, None], raw[:, 0].astype(int)


def real_files(count):
    """Inputs of magika from different files of this machine: as many kinds as there are, at most a few of each."""
    roots = ["/usr/share", "/usr/bin", "/usr/include", "/usr/lib", "/etc", str(pathlib.Path(__file__).parents[2])]
    kinds = {}
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(names):
                path = os.path.join(folder, name)
                key = os.path.splitext(name)[1].lower() or "-" + root
                if len(kinds.setdefault(key, [])) < 40 and not os.path.islink(path) and os.path.isfile(path):
                    kinds[key].append(path)
    # One of each kind, then a second of each, ...
    order = [files[i] for i in range(40) for _, files in sorted(kinds.items()) if i < len(files)]
    found, seen = [], set()
    for path in order:
        try:
            with open(path, "rb") as file:
                first = file.read(4096)
                file.seek(max(0, os.path.getsize(path) - 4096))
                last = file.read(4096)
        except OSError:
            continue
        # The two ends are all that counts.
        ends = first if len(first) < 4096 else first + last
        if len(first) >= 16 and ends not in seen:
            seen.add(ends)
            found.append(features(ends))
        if len(found) == count:
            break
    return np.array(found, np.int32)
