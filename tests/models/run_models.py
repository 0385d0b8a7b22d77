#!/usr/bin/env python3
"""Every model of ../shared/models, from ONNX to sealed file to outputs.

    run_models.py [NAME ...]

Each model is packed (fp32, encrypted to a fresh key, signed with another), run on every sample of its
manifest.json, and compared with the reference outputs there: max abs error over the range of the output at most
1e-4. The quantized models compute in integers where the reference simulates them in floats; of their samples
only the winning class must agree, labelled.py judges them on labelled data. Standard library only.
"""

import concurrent.futures
import json
import sys
import time

from model_pack import Failed, ModelPack, difference, read_npy, shared_dir

TOLERANCE = 1e-4
QUANTIZED = {"mobilenetv2_qdq", "shufflenetv2_int8"}


def check(pack, folder):
    """What is wrong with a model (nothing, when all is well), and its largest error."""
    manifest = json.loads((folder / "manifest.json").read_text())
    sealed = pack.pack(folder / manifest["file"], folder.name)
    wrong, worst = [], 0.0
    for n, sample in enumerate(manifest["samples"]):
        got = pack.run(sealed, {name: folder / file for name, file in sample["inputs"].items()})
        if set(got) != set(sample["outputs"]):
            wrong.append(f"sample {n}: outputs {sorted(got)}, expected {sorted(sample['outputs'])}")
            continue
        for name, file in sample["outputs"].items():
            ours, reference = read_npy(got[name]), read_npy(folder / file)
            error = difference(ours, reference)
            worst = max(worst, error)
            if folder.name in QUANTIZED:
                if ours.shape != reference.shape or ours.argmax() != reference.argmax():
                    wrong.append(f"sample {n}: {name}: another class wins")
            elif error > TOLERANCE:
                wrong.append(f"sample {n}: {name}: {ours.dtype} {ours.shape}, expected {reference.dtype} "
                             f"{reference.shape}: error {error:.3g} of the range")
    if not manifest["samples"]:
        wrong.append("no samples")
    return wrong, worst


def main():
    folders = sorted(m.parent for m in (shared_dir() / "models").glob("*/manifest.json"))
    if sys.argv[1:]:
        folders = [f for f in folders if f.name in sys.argv[1:]]
    if not folders:
        sys.exit("no such model")
    failures = 0
    with ModelPack() as pack, concurrent.futures.ThreadPoolExecutor(2) as pool:

        def timed(folder):
            begin = time.monotonic()
            try:
                wrong, worst = check(pack, folder)
            except Failed as e:
                wrong, worst = [str(e)], float("nan")
            return folder, wrong, worst, time.monotonic() - begin

        for folder, wrong, worst, seconds in pool.map(timed, folders):
            print(f"{'FAILED' if wrong else 'ok':<6} {folder.name:<22} error {worst:<9.2g} {seconds:5.1f} s", flush=True)
            for line in wrong:
                print("       ", line)
            failures += bool(wrong)
    print(f"{len(folders) - failures} of {len(folders)} models right")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
