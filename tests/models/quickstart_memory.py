"""The quickstart program peaks under three times the plaintext model plus 10 MiB.

    quickstart_memory.py QUICKSTART PEAK_MEMORY

Measured on the small classifier of this tree and, where ../shared is there, on magika.
"""

import os
import pathlib
import subprocess
import sys

from model_pack import ROOT, ModelPack


def main():
    quickstart, peak_memory = sys.argv[1:]
    models = [ROOT / "tools" / "fallback_model" / "filetypes.onnx"]
    shared = pathlib.Path(os.environ.get("COFFER_SHARED_DIR", ROOT / ".." / "shared"))
    magika = shared / "models" / "magika" / "model.onnx"
    if magika.exists():
        models.append(magika)
    else:
        print(f"no magika in {shared}: only the model of this tree is measured")
    failed = False
    with ModelPack() as pack:
        for model in models:
            sealed = pack.pack(model, model.parent.name)
            allowed = 3 * model.stat().st_size + (10 << 20)
            run = subprocess.run([peak_memory, str(allowed), quickstart, sealed, pack.identity, pack.trusted],
                                 capture_output=True, text=True)
            print(f"{model}: {run.stderr.strip()}; {len(run.stdout.split())} scores")
            failed |= run.returncode != 0 or not run.stdout.split()
    sys.exit(failed)


if __name__ == "__main__":
    main()
