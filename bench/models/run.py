#!/usr/bin/env python3
"""Whole models: Coffer beside ONNX Runtime.

    run.py [--models A,B] [--precision fp32,int8] [--threads 1,2] [--rounds 7] [--seconds 0.3] [--out DIR]

Both run the same model on the same inputs (the samples of ../shared/models) with the same number of threads; the
rounds alternate, so that a busy machine slows both. The tables give medians of the CPU time and of the wall time of
one inference; a ratio is the median of the rounds' ratios, above 1 where Coffer is faster. fp32 is the model as it is.
int8 is each side's own static quantization of a float model, calibrated on the same samples (Coffer: pack --precision
int8; ONNX Runtime: quantize_static, QDQ, per channel), and a model that is quantized already as it is.

Writes bench.json, bench.md and a picture for each number of threads to DIR (build/bench). Needs numpy, onnx and onnxruntime.
"""

import argparse
import json
import logging
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "models"))
from model_pack import Failed, ModelPack, program, shared_dir, use_venv  # noqa: E402

use_venv("numpy", "onnx", "onnxruntime")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnxruntime import quantization  # noqa: E402
from onnxruntime.quantization import shape_inference  # noqa: E402

from chart import ratio_bars  # noqa: E402
from machine import Watch  # noqa: E402

QUANTIZED = {"mobilenetv2_qdq", "shufflenetv2_int8"}
COLD_STARTS = 9


class Subject:
    """A model, its first sample as the input of the race, and all its samples as calibration data."""

    def __init__(self, folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        self.name, self.onnx = folder.name, folder / manifest["file"]
        self.samples = [{k: folder / f for k, f in s["inputs"].items()} for s in manifest["samples"]]

    def calibration(self, pack):
        folder = pack.dir / f"{self.name}.data"
        for i, sample in enumerate(self.samples):
            (folder / str(i)).mkdir(parents=True, exist_ok=True)
            for name, file in sample.items():
                (folder / str(i) / (name.replace("/", "_") + ".npy")).write_bytes(file.read_bytes())
        return folder


class Ours:
    def __init__(self, pack, subject, precision, threads):
        data = ["--data", subject.calibration(pack)] if precision == "int8" and subject.name not in QUANTIZED else []
        self._pack, self._threads, self._inputs = pack, threads, subject.samples[0]
        self.file = pack.pack(subject.onnx, subject.name, "int8" if data else "fp32", *data)
        self.size = self.file.stat().st_size

    def measure(self, runs):
        """(CPU ms, wall ms) of one inference: medians over `runs`."""
        result = self._pack.bench(self.file, self._inputs, self._threads, runs)
        return result["cpu_ms"], result["median_ms"]

    def cold_start(self):
        """CPU ms of a process that opens the sealed model, runs it once and ends; the least of a few."""
        inputs = [a for name, path in self._inputs.items() for a in ("--input", f"{name}=@{path}")]
        command = [program(), "run", str(self.file), *map(str, self._pack.access()), *inputs, "--threads", "1"]
        times = []
        for _ in range(COLD_STARTS):
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            times.append((used.ru_utime + used.ru_stime) * 1e3)
        return min(times)


class Reader(quantization.CalibrationDataReader):
    def __init__(self, samples):
        self._samples = iter(samples)

    def get_next(self):
        return next(self._samples, None)


class Peer:
    """ONNX Runtime, its inputs bound once so that Python costs next to nothing."""

    def __init__(self, pack, subject, precision, threads):
        arrays = [{k: np.load(f) for k, f in s.items()} for s in subject.samples]
        model = subject.onnx
        if precision == "int8" and subject.name not in QUANTIZED:
            model = pack.dir / f"{subject.name}.peer.onnx"
            if not model.exists():
                prepared = self._prepared(pack, subject)
                quantization.quantize_static(prepared, model, Reader(arrays), per_channel=True,
                                             quant_format=quantization.QuantFormat.QDQ,
                                             activation_type=quantization.QuantType.QUInt8,
                                             weight_type=quantization.QuantType.QInt8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        self._values = {k: onnxruntime.OrtValue.ortvalue_from_numpy(v) for k, v in arrays[0].items()}
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)
        for output in self._session.get_outputs():
            self._binding.bind_output(output.name)
        self._session.run_with_iobinding(self._binding)

    @staticmethod
    def _prepared(pack, subject):
        """The model as its quantizer likes it: opset 13 or newer, batch normalization folded."""
        path = pack.dir / f"{subject.name}.prepared.onnx"
        model = onnx.load(subject.onnx)
        if max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")) < 13:
            model = onnx.version_converter.convert_version(model, 13)
        onnx.save(model, path)
        shape_inference.quant_pre_process(path, path, skip_symbolic_shape=True)
        return path

    def measure(self, runs):
        cpu, wall = [], []
        for _ in range(runs):
            w, c = time.perf_counter_ns(), time.process_time_ns()
            self._session.run_with_iobinding(self._binding)
            cpu.append(time.process_time_ns() - c)
            wall.append(time.perf_counter_ns() - w)
        return statistics.median(cpu) / 1e6, statistics.median(wall) / 1e6


def race(pack, subject, precision, threads, rounds, seconds):
    row = {"model": subject.name, "precision": precision, "threads": threads}
    if precision == "fp32" and subject.name in QUANTIZED:
        return row | {"skipped": "quantized already"}
    try:
        ours, peer = Ours(pack, subject, precision, threads), Peer(pack, subject, precision, threads)
    except Failed as e:
        return row | {"skipped": str(e)}
    except Exception as e:  # whatever its quantizer does not take
        return row | {"skipped": f"ONNX Runtime's quantizer: {e}"[:200]}
    runs = [max(3, min(5000, int(seconds * 1e3 / max(side.measure(3)[1], 1e-3)))) for side in (ours, peer)]
    results = []
    for r in range(rounds):
        order = (0, 1) if r % 2 == 0 else (1, 0)
        pair = [None, None]
        for side in order:
            pair[side] = (ours, peer)[side].measure(runs[side])
        results.append(pair)
    middle = statistics.median
    row |= {"coffer_cpu_ms": middle(r[0][0] for r in results), "peer_cpu_ms": middle(r[1][0] for r in results),
            "coffer_ms": middle(r[0][1] for r in results), "peer_ms": middle(r[1][1] for r in results),
            "cpu_ratio": middle(r[1][0] / r[0][0] for r in results), "ratio": middle(r[1][1] / r[0][1] for r in results),
            "file_bytes": ours.size}
    if threads == 1:
        row["cold_start_cpu_ms"] = ours.cold_start()
    return row


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def summaries(rows):
    for precision in dict.fromkeys(r["precision"] for r in rows):
        for threads in dict.fromkeys(r["threads"] for r in rows):
            # On one thread the CPU time decides; on more, what the user waits.
            key = "cpu_ratio" if threads == 1 else "ratio"
            chosen = [r for r in rows if r["precision"] == precision and r["threads"] == threads and key in r]
            if chosen:
                worst = min(chosen, key=lambda r: r[key])
                yield {"precision": precision, "threads": threads, "models": len(chosen), "by": key,
                       "geometric_mean": geometric_mean([r[key] for r in chosen]), "worst": worst[key],
                       "worst_model": worst["model"]}


def markdown(rows, watch):
    lines = ["# Coffer beside ONNX Runtime", "",
             f"onnxruntime {onnxruntime.__version__}; milliseconds per inference, medians; ratio above 1: Coffer is faster.", ""]
    if not watch["idle"]:
        lines += [f"**The machine was not idle**: load {watch['load_before']:.1f} before and {watch['load_after']:.1f} after, "
                  f"others used {watch['others_share']:.0%} of the CPU time, {watch['steal_share']:.0%} was stolen.", ""]
    lines += ["| precision | threads | models | by | geometric mean | slowest |", "|---|---:|---:|---|---:|---|"]
    for s in summaries(rows):
        lines.append(f"| {s['precision']} | {s['threads']} | {s['models']} | {'CPU time' if s['by'] == 'cpu_ratio' else 'wall time'} "
                     f"| **{s['geometric_mean']:.2f}** | {s['worst']:.2f} ({s['worst_model']}) |")
    lines += ["", "| model | precision | threads | Coffer CPU | ORT CPU | ratio | Coffer wall | ORT wall | ratio | file | cold start CPU |",
              "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for r in rows:
        head = f"| {r['model']} | {r['precision']} | {r['threads']} "
        if "skipped" in r:
            lines.append(head + f"| skipped: {r['skipped'].splitlines()[0][:120]} |||||||| ")
            continue
        cold = f"{r['cold_start_cpu_ms']:.1f} ms" if "cold_start_cpu_ms" in r else ""
        lines.append(head + f"| {r['coffer_cpu_ms']:.3f} | {r['peer_cpu_ms']:.3f} | {r['cpu_ratio']:.2f} | {r['coffer_ms']:.3f} "
                            f"| {r['peer_ms']:.3f} | {r['ratio']:.2f} | {r['file_bytes'] / 1e6:.2f} MB | {cold} |")
    return "\n".join(lines) + "\n"


def picture(rows, threads):
    key = "cpu_ratio" if threads == 1 else "ratio"
    series = {}
    for r in rows:
        if r["threads"] == threads and key in r:
            series.setdefault(f"{r['precision']}, {threads} thread{'s' if threads > 1 else ''}", {})[r["model"]] = r[key]
    names = [n for n in dict.fromkeys(r["model"] for r in rows) if any(n in bars for bars in series.values())]
    return ratio_bars("Speed relative to ONNX Runtime (right: Coffer is faster)", series, names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--models", ""), ("--precision", "fp32,int8"), ("--threads", "1,2")):
        parser.add_argument(name, default=default, help="separated by commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="per measurement")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench")
    a = parser.parse_args()
    subjects = [Subject(f.parent) for f in sorted((shared_dir() / "models").glob("*/manifest.json"))]
    if a.models:
        subjects = [s for s in subjects if s.name in a.models.split(",")]
    thread_counts = [int(t) for t in a.threads.split(",")]

    logging.disable(logging.WARNING)  # its quantizer's advice
    rows, watch = [], Watch()
    with ModelPack() as pack:
        for threads in thread_counts:
            for precision in a.precision.split(","):
                for subject in subjects:
                    row = race(pack, subject, precision, threads, a.rounds, a.seconds)
                    rows.append(row)
                    said = row.get("skipped") or (f"CPU {row['coffer_cpu_ms']:9.3f} / {row['peer_cpu_ms']:9.3f} ms = "
                                                  f"{row['cpu_ratio']:5.2f}, wall ratio {row['ratio']:5.2f}")
                    print(f"{subject.name:<20} {precision:<5} {threads}  {said}", file=sys.stderr, flush=True)
    busy = watch.report()
    a.out.mkdir(parents=True, exist_ok=True)
    report = {"schema": 1, "onnxruntime": onnxruntime.__version__, "machine": busy, "summaries": list(summaries(rows)), "rows": rows}
    (a.out / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    (a.out / "bench.md").write_text(markdown(rows, busy))
    for threads in thread_counts:
        (a.out / f"bench_{threads}.svg").write_text(picture(rows, threads))
    print(markdown(rows, busy))
    print(f"also as JSON and pictures in {a.out}")


if __name__ == "__main__":
    main()
