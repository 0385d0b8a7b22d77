#!/usr/bin/env python3
"""examples/vad against silero-vad's own way to find speech, with ONNX Runtime: the same segments, to the sample.

Recordings: ../shared/data/speech when it is there, and two made here (16 and 48 kHz, stereo). Needs numpy, onnxruntime.
"""

import pathlib
import subprocess
import sys
import tempfile
import wave
import zipfile

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "models"), str(HERE.parents[2] / "examples")]
from model_pack import ROOT, use_venv  # noqa: E402

use_venv("numpy", "onnxruntime", "PIL")

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

import packages  # noqa: E402
from wheels import sound  # noqa: E402

RATE, WINDOW, CONTEXT = 16000, 512, 64


def probabilities(session, samples):
    state, context, result = np.zeros((2, 1, 128), np.float32), np.zeros((1, CONTEXT), np.float32), []
    for at in range(0, len(samples), WINDOW):
        chunk = np.zeros((1, WINDOW), np.float32)
        part = samples[at:at + WINDOW]
        chunk[0, :len(part)] = part
        x = np.concatenate([context, chunk], 1)
        p, state = session.run(None, {"input": x, "state": state, "sr": np.array(RATE, np.int64)})
        context = x[:, -CONTEXT:]
        result.append(float(p[0, 0]))
    return result


def segments(probabilities, length):
    """In samples: thresholds 0.5 and 0.35, 250 ms of speech, 100 ms of silence, 30 ms of room."""
    pad, speeches, start, end = 480, [], None, None
    for i, p in enumerate(probabilities):
        at = i * WINDOW
        if p >= 0.5:
            end = None
            start = at if start is None else start
        elif p < 0.35 and start is not None:
            end = at if end is None else end
            if at - end >= 1600:
                if end - start > 4000:
                    speeches.append([start, end])
                start = end = None
    if start is not None and length - start > 4000:
        speeches.append([start, length])
    for i, speech in enumerate(speeches):
        if i == 0:
            speech[0] = max(0, speech[0] - pad)
        room = pad
        if i + 1 < len(speeches):
            room = min(pad, (speeches[i + 1][0] - speech[1]) // 2)
            speeches[i + 1][0] -= room
        speech[1] = min(length, speech[1] + room)
    return speeches


def read_wav(path):
    with wave.open(str(path)) as file:
        step, channels = file.getframerate() // RATE, file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, channels)
    return samples.astype(np.float32).mean(1)[::step] / 32768


def write_wav(path, rate, channels):
    samples = sound(6 * rate, rate)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        data = np.clip(samples * 32767, -32768, 32767).astype("<i2")
        file.writeframes(np.repeat(data, channels).tobytes())
    return path


def main():
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        made = [write_wav(tmp / "mono.wav", 16000, 1), write_wav(tmp / "stereo48.wav", 48000, 2)]
        shared = (ROOT / ".." / "shared" / "data" / "speech").resolve()
        files = made + [f for f in (shared / "silero_test.wav", shared / "gtcrn_mix.wav") if f.exists()]
        done = subprocess.run([sys.executable, str(ROOT / "examples" / "vad" / "run.py"), *map(str, files)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stderr)
            sys.exit(done.returncode)
        said = {}
        for line in done.stdout.splitlines():
            if line.endswith(":"):
                said[line[:-1]] = []
            else:
                said[list(said)[-1]].append([float(t) for t in line.split("\t")])
        with zipfile.ZipFile(packages.wheel("silero-vad")) as archive:
            model = archive.read("silero_vad/data/silero_vad.onnx")
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        wrong = found = 0
        for file in files:
            samples = read_wav(file)
            wanted = segments(probabilities(session, samples), len(samples))
            got = said[str(file)]
            same = len(got) == len(wanted) and all(
                abs(g - w / RATE) < 6e-4 for a, b in zip(got, wanted) for g, w in zip(a, b))
            found += len(wanted)
            wrong += not same
            print(f"{'ok' if same else 'FAILED':<6} {file.name}: {len(got)} segments, the package's way {len(wanted)}")
            if not same:
                print("      ", got, [[w / RATE for w in s] for s in wanted])
        for file, words in ((tmp / "none.wav", "cannot open"), (write_wav(tmp / "odd.wav", 22050, 1), "22050 Hz")):
            done = subprocess.run([sys.executable, str(ROOT / "examples" / "vad" / "run.py"), str(file)],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0 or words not in done.stderr:
                print(f"FAILED {file.name}: {done.returncode} {done.stderr}")
                wrong += 1
        if found == 0 and len(files) > len(made):  # those made here have no speech
            print("FAILED no speech in any recording")
            wrong += 1
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
