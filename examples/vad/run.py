#!/usr/bin/env python3
"""Seals silero-vad's model (MIT) and finds the speech in recordings.

    run.py FILE.wav...

Needs the built programs (`./dev build`) and, the first time, the network.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import packages  # noqa: E402
from packages import PROGRAMS, Vendor, call, extract  # noqa: E402

WORK = packages.WORK / "vad"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    onnx = extract("silero-vad", "silero_vad/data/silero_vad.onnx", WORK)
    vendor = Vendor(WORK)
    sealed = vendor.seal(onnx, "vad", "--state", "stateN=state")
    for wav in sys.argv[1:]:
        print(f"{wav}:", flush=True)
        print(call(PROGRAMS / "vad", sealed, vendor.device, vendor.signer, wav), end="")


if __name__ == "__main__":
    main()
