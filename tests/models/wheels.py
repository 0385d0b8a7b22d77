#!/usr/bin/env python3
"""The models inside the pinned wheels of wheels.txt, against ONNX Runtime.

    wheels.py [NAME ...]

Each model is sealed (fp32, encrypted, signed), run by model-pack on inputs like those it is made for (files, sound,
lines of text) in several shapes, with state carried from call to call, and compared with ONNX Runtime without its
graph optimizations: max abs error over the range of the output at most 1e-4; of basic_pitch, at most what ONNX Runtime's
own optimizations change. Needs numpy, onnxruntime and pillow.
The wheels are downloaded to build/downloads (or $COFFER_DOWNLOADS) once, by pip, which checks their hashes.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import zipfile

from model_pack import Array, Failed, ModelPack, ROOT, difference, read_npy, skip, use_venv

use_venv("numpy", "onnxruntime", "PIL")

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

from magika_features import features  # noqa: E402

TOLERANCE = 1e-4
# It takes the logarithm of powers near zero, where float arithmetic has no answer to 1e-4. It may be as far from ONNX
# Runtime without its optimizations as ONNX Runtime with them is at worst, on the same samples.
SENSITIVE = {"basic_pitch"}


PINNED = pathlib.Path(__file__).with_name("wheels.txt")


def fetch_wheels():
    """{package: wheel}. Each is as pinned, also one that lay there before."""
    folder = pathlib.Path(os.environ.get("COFFER_DOWNLOADS", ROOT / "build" / "downloads"))
    wheels = {}
    for project, version, digest in re.findall(r"^(\S+)==(\S+) --hash=sha256:(\w+)$", PINNED.read_text(), re.MULTILINE):
        package = project.replace("-", "_")
        path = next(iter(folder.glob(f"{package}-{version}-*.whl")), None)
        if path is None or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps", "--only-binary",
                       ":all:", "--require-hashes", "-d", folder, "-r", PINNED]
            if subprocess.run(command).returncode != 0:
                skip("the wheels cannot be downloaded (no network?)")
            path = next(folder.glob(f"{package}-{version}-*.whl"))
        wheels[package] = path
    return wheels


# ---- inputs ---------------------------------------------------------------------------------------------------


def files():
    own = pathlib.Path(__file__)
    one = np.array([features(own.read_bytes())], np.int32)
    # Files with enough in them: the model divides by variances that are differences of nearly equal numbers, and
    # on a short text one unit in the last place of an activation moves its answer by a hundredth.
    kinds = [ROOT / "docs/format.md", ROOT / "include/coffer/coffer.h", pathlib.Path(sys.executable)]
    batch = np.array([features(f.read_bytes()) for f in kinds], np.int32)
    yield {"bytes": one}
    yield {"bytes": batch}
    yield {"bytes": np.full((2, 2048), 256, np.int32)}  # empty files


def sound(samples, rate):
    """Vowel-like sound between silences: harmonics of a gliding pitch, formants, a little noise."""
    random = np.random.default_rng(7)
    t = np.arange(samples) / rate
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.3 * t)) / rate
    formant = lambda k: np.exp(-(((k * 140) - 700) / 400) ** 2) + 0.6 * np.exp(-(((k * 140) - 1220) / 500) ** 2)  # noqa: E731
    wave = sum(formant(k) * np.sin(k * phase) for k in range(1, 20))
    loud = np.clip(np.sin(2 * np.pi * 0.9 * t), 0, None)
    return (0.2 * wave * loud + 0.003 * random.standard_normal(samples)).astype(np.float32)


def frames(rate, size, context, batch=1, count=6):
    """Successive frames with the tail of the one before in front, as silero-vad wants them: silence, then sound."""
    silence = size + context
    rows = [np.concatenate([np.zeros(silence, np.float32), sound(rate, rate)[2000 * b:]]) for b in range(batch)]
    for i in range(count):
        yield np.stack([row[i * size:][:size + context] for row in rows])


def vad(rate, state_shape, with_rate=True, batches=(1,)):
    def inputs():
        size, context = (512, 64) if rate == 16000 else (256, 32)
        for batch in batches:
            state = np.zeros([batch if d is None else d for d in state_shape], np.float32)
            for frame in frames(rate, size, context, batch):
                sample = {"input": frame, "state": state}
                if with_rate:
                    sample["sr"] = np.array(rate, np.int64)
                reference = yield sample
                state = reference["stateN"]

    return inputs


def vad_both_rates():
    yield from vad(16000, (2, None, 128), batches=(1, 2))()
    yield from vad(8000, (2, None, 128))()


def vad_sequence():
    h = c = np.zeros((1, 1, 128), np.float32)
    for count in (1, 5, 9):
        block = np.concatenate(list(frames(16000, 512, 64, count=count)))
        reference = yield {"input": block, "h": h, "c": c}
        h, c = reference["hn"], reference["cn"]


def picture(width, height, lines):
    image = Image.new("RGB", (width, height), (236, 232, 220))
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((6, 4 + i * height // len(lines)), line, (20, 20, 40), ImageFont.load_default(0.6 * height / len(lines)))
    return np.asarray(image, np.float32).transpose(2, 0, 1) / 255


def pages():
    mean, std = np.array([[[0.485]], [[0.456]], [[0.406]]], np.float32), np.array([[[0.229]], [[0.224]], [[0.225]]], np.float32)
    for width, height, lines in ((96, 64, ["Text"]), (320, 160, ["One sealed", "model file"]), (224, 256, ["a", "b c", "1234"])):
        yield {"x": ((picture(width, height, lines) - mean) / std)[None]}


def text_lines(height, *batches):
    def inputs():
        for texts, width in batches:
            yield {"x": np.stack([(picture(width, height, [text]) - 0.5) / 0.5 for text in texts])}

    return inputs


def music():
    # Not the silences: the model takes the logarithm of the power, and what is left of nothing is rounding.
    length = 3 * 43844
    t = np.arange(length) / 22050
    notes = 440 * 2 ** (np.array([0, 4, 7, 12, 7, 4])[(t * 2.5).astype(int) % 6] / 12)
    phase = 2 * np.pi * np.cumsum(notes) / 22050
    wave = sum(0.3 / k * np.sin(k * phase) for k in range(1, 6)) * np.exp(-2 * (t * 2.5 % 1))
    wave = (wave + 0.02 * np.random.default_rng(7).standard_normal(length)).astype(np.float32)
    yield {"serving_default_input_2:0": wave[:43844].reshape(1, -1, 1)}
    yield {"serving_default_input_2:0": wave[43844:].reshape(2, -1, 1)}


OCR, VAD = "rapidocr_onnxruntime/models/", "silero_vad/data/"
# name: wheel, file in it, generator of samples (it is sent the reference outputs of the sample before)
MODELS = {
    "magika": ("magika", "magika/models/standard_v3_3/model.onnx", files),
    "silero_vad": ("silero_vad", VAD + "silero_vad.onnx", vad_both_rates),
    "silero_vad_16k_op15": ("silero_vad", VAD + "silero_vad_16k_op15.onnx", vad(16000, (2, None, 128), batches=(1, 3))),
    "silero_vad_16k_sequence": ("silero_vad", VAD + "silero_vad_16k_sequence.onnx", vad_sequence),
    "silero_vad_half": ("silero_vad", VAD + "silero_vad_half.onnx", vad(16000, (2, None, 128), with_rate=False)),
    "silero_vad_op18_ifless": ("silero_vad", VAD + "silero_vad_op18_ifless.onnx", vad_both_rates),
    "silero_vad_openvino_16k": ("silero_vad", VAD + "silero_vad_openvino_16k.onnx", vad(16000, (2, 1, 128), with_rate=False)),
    "rapidocr_det": ("rapidocr_onnxruntime", OCR + "ch_PP-OCRv4_det_infer.onnx", pages),
    "rapidocr_cls": ("rapidocr_onnxruntime", OCR + "ch_ppocr_mobile_v2.0_cls_infer.onnx",
                     text_lines(48, (["upright"], 192), (["two", "lines", "3"], 192))),
    "rapidocr_rec": ("rapidocr_onnxruntime", OCR + "ch_PP-OCRv4_rec_infer.onnx",
                     text_lines(48, (["Hello, world"], 320), (["short", "lines"], 112))),
    "basic_pitch": ("basic_pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx", music),
}

# ---- the comparison ---------------------------------------------------------------------------------------------


def session(model, level="ORT_DISABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check(pack, wheels, name):
    """(what is wrong, largest error, largest error allowed, number of samples)"""
    package, path, generator = MODELS[name]
    with zipfile.ZipFile(wheels[package]) as wheel:
        model = wheel.read(path)
    onnx = pack.dir / f"{name}.onnx"
    onnx.write_bytes(model)
    sealed, peer = pack.pack(onnx, name), session(model)
    optimized = session(model, "ORT_ENABLE_ALL") if name in SENSITIVE else None
    names = [o.name for o in peer.get_outputs()]
    errors, worst, allowed, count, samples, reference = [], 0.0, TOLERANCE, 0, generator(), None
    while True:
        try:
            inputs = next(samples) if reference is None else samples.send(reference)
        except StopIteration:
            return [text for error, text in errors if error > allowed], worst, allowed, count
        reference = dict(zip(names, peer.run(None, inputs)))
        other = dict(zip(names, optimized.run(None, inputs))) if optimized else reference
        paths = {}
        for i, (key, value) in enumerate(inputs.items()):
            paths[key] = pack.dir / f"{name}-{i}.npy"
            np.save(paths[key], value)
        got = pack.run(sealed, paths)
        for key in names:
            want, ours = reference[key], read_npy(got[key])
            as_array = lambda a: Array(a.dtype.str, a.shape, a.ravel().tolist())  # noqa: E731
            error = difference(ours, as_array(want))
            worst = max(worst, error)
            allowed = max(allowed, difference(as_array(other[key]), as_array(want)))
            shapes = {k: v.shape for k, v in inputs.items()}
            errors.append((error, f"sample {count} {shapes}: {key} {ours.shape}, expected {want.shape}: error {error:.3g}"))
        count += 1


def main():
    names = sys.argv[1:] or list(MODELS)
    wheels, failures = fetch_wheels(), 0
    with ModelPack() as pack, concurrent.futures.ThreadPoolExecutor(2) as pool:

        def guarded(name):
            try:
                return check(pack, wheels, name)
            except Failed as e:
                return [str(e)], float("nan"), float("nan"), 0

        for name, (wrong, worst, allowed, count) in zip(names, pool.map(guarded, names)):
            print(f"{'FAILED' if wrong or not count else 'ok':<6} {name:<24} {count:2} samples, error {worst:.2g}, allowed {allowed:.2g}", flush=True)
            for line in wrong:
                print("       ", line)
            failures += bool(wrong) or not count
    print(f"{len(names) - failures} of {len(names)} models right")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
