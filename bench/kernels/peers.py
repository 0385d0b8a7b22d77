#!/usr/bin/env python3
"""The cases of f32_bench beside ONNX Runtime on one thread.

    peers.py path/to/f32_bench [filter] [rounds]

Each round runs ours and theirs one after the other on the same single-op model, in CPU time, so that a busy
machine slows both; the table gives medians and the median of the rounds' ratios (above 1: Coffer is faster).
"""
import json
import re
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def session(nodes, x_shape, y_shape, constants):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y_shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x, y = np.random.rand(*x_shape).astype("f"), np.zeros(y_shape, "f")
    binding = made.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu", 0, np.float32, y_shape, y.ctypes.data)
    return lambda keep=(x, y): made.run_with_iobinding(binding)


def peer(name):
    """A callable that runs the case of that name, and its floating point operations."""
    if name.startswith("matmul/"):
        m, k, n = map(int, name.split("/")[1].split("x"))
        w = np.random.rand(k, n).astype("f")
        return session([helper.make_node("MatMul", ["x", "w"], ["y"])], [m, k], [m, n], {"w": w}), 2 * m * k * n
    size, _, c, m, kernel, stride, pad, group = map(int, re.findall(r"\d+", name))
    out = (size + 2 * pad - kernel) // stride + 1
    w = np.random.rand(m, c // group, kernel, kernel).astype("f") - 0.5
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["t"], strides=[stride] * 2, pads=[pad] * 4, group=group),
             helper.make_node("Relu", ["t"], ["y"])]
    run = session(nodes, [1, c, size, size], [1, m, out, out], {"w": w, "b": np.random.rand(m).astype("f")})
    return run, 2 * out * out * m * (c // group) * kernel * kernel


def cpu_us(run, seconds=0.05):
    run()
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        run()
        count += 1
    return (time.process_time() - start) / count * 1e6


def ours_us(program, name):
    out = subprocess.run([program, f"--benchmark_filter=^{name}$", "--benchmark_min_time=0.05",
                          "--benchmark_format=json"], capture_output=True, check=True, text=True)
    result = json.loads(out.stdout)["benchmarks"][0]
    if result.get("error_occurred"):
        raise SystemExit(f"{name}: {result['error_message']}")
    return result["cpu_time"] * {"ns": 1e-3, "us": 1, "ms": 1e3}[result["time_unit"]]


def main():
    program, wanted = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    listed = subprocess.run([program, "--benchmark_list_tests"], capture_output=True, check=True, text=True)
    ratios = []
    print(f"{'case':34} {'Coffer us':>10} {'GFLOP/s':>8} {'ORT us':>10} {'ORT/Coffer':>10}")
    for name in filter(lambda n: wanted in n, listed.stdout.split()):
        run, flops = peer(name)
        pairs = [(ours_us(program, name), cpu_us(run)) for _ in range(rounds)]
        ours, theirs = (statistics.median(column) for column in zip(*pairs))
        ratios.append(statistics.median(b / a for a, b in pairs))
        print(f"{name:34} {ours:10.1f} {flops / ours * 1e-3:8.1f} {theirs:10.1f} {ratios[-1]:10.2f}", flush=True)
    if ratios:
        print(f"geometric mean {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
