#!/usr/bin/env python3
"""ONNX Runtime's int8 kernels on one thread: the peer of q_bench. CPU time per call, median of batches.

usage: qpeers.py [gemm|conv|all]      needs numpy, onnx and onnxruntime; prints one JSON object a line
"""
import json
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

GEMM = [(64, 64, 64), (128, 128, 128), (256, 256, 256), (384, 384, 384), (512, 512, 512), (768, 768, 768),
        (1024, 1024, 1024), (128, 384, 1536), (128, 768, 3072), (128, 4096, 4096), (16, 4096, 4096),
        (1, 1024, 1024), (1, 4096, 4096)]
# name, spatial, channels in, channels out, kernel, stride, groups, chain of that many equal layers
CONV = [("conv3x3_56_64", 56, 64, 64, 3, 1, 1, 8), ("conv3x3s2_56_64", 56, 64, 64, 3, 2, 1, 1),
        ("conv1x1_56_64_256", 56, 64, 256, 1, 1, 1, 1), ("conv1x1_56_256_64", 56, 256, 64, 1, 1, 1, 1),
        ("dw3x3_112_32", 112, 32, 32, 3, 1, 32, 8), ("conv3x3_14_256", 14, 256, 256, 3, 1, 1, 8)]
rng = np.random.default_rng(1)
ort.set_default_logger_severity(3)


def session(nodes, inputs, outputs, consts):
    graph = h.make_graph(nodes, "g", inputs, outputs, [nh.from_array(v, k) for k, v in consts.items()])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 19), h.make_opsetid("com.microsoft", 1)])
    model.ir_version = 9
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def measure(sess, feeds):
    binding = sess.io_binding()
    for k, v in feeds.items():
        binding.bind_cpu_input(k, v)
    for o in sess.get_outputs():
        binding.bind_output(o.name)
    sess.run_with_iobinding(binding)
    start = time.process_time()
    sess.run_with_iobinding(binding)
    batch = max(1, int(0.02 / max(1e-6, time.process_time() - start)))
    times = []
    for _ in range(9):
        start = time.process_time()
        for _ in range(batch):
            sess.run_with_iobinding(binding)
        times.append((time.process_time() - start) / batch)
    return float(np.median(times))


def report(name, op, seconds, ops):
    print(json.dumps({"case": name, "peer": op, "us": round(seconds * 1e6, 2), "gops": round(ops / seconds / 1e9, 1)}),
          flush=True)


def gemm():
    for m, k, n in GEMM:
        a = rng.integers(0, 255, (m, k), dtype=np.uint8)
        b = rng.integers(-127, 127, (k, n), dtype=np.int8)
        name, ops = f"{m}x{k}x{n}", 2.0 * m * k * n
        x = h.make_tensor_value_info("x", T.UINT8, [m, k])
        f = h.make_tensor_value_info("x", T.FLOAT, [m, k])
        consts = {"b": b, "za": np.uint8(128), "zb": np.int8(0), "sa": np.float32(.02), "sb": np.float32(.01),
                  "sy": np.float32(.1), "zy": np.uint8(120)}
        report(name, "MatMulInteger", measure(session(
            [h.make_node("MatMulInteger", ["x", "b", "za", "zb"], ["y"])], [x],
            [h.make_tensor_value_info("y", T.INT32, [m, n])], consts), {"x": a}), ops)
        report(name, "QLinearMatMul", measure(session(
            [h.make_node("QLinearMatMul", ["x", "sa", "za", "b", "sb", "zb", "sy", "zy"], ["y"])], [x],
            [h.make_tensor_value_info("y", T.UINT8, [m, n])], consts), {"x": a}), ops)
        report(name, "DynamicQuantizeMatMul", measure(session(
            [h.make_node("DynamicQuantizeMatMul", ["x", "b", "sb", "zb"], ["y"], domain="com.microsoft")], [f],
            [h.make_tensor_value_info("y", T.FLOAT, [m, n])], consts), {"x": a.astype(np.float32)}), ops)


def conv():
    for name, size, cin, cout, kernel, stride, groups, length in CONV:
        nodes, consts = [], {"zx": np.uint8(3), "zw": np.int8(0), "sx": np.float32(.02), "sy": np.float32(.02)}
        pad = kernel // 2
        for i in range(length):
            consts[f"w{i}"] = rng.integers(-127, 127, (cout, cin // groups, kernel, kernel), dtype=np.int8)
            consts[f"b{i}"] = rng.integers(-900, 900, (cout,), dtype=np.int32)
            consts[f"sw{i}"] = np.float32(.003 / np.sqrt(cin // groups * kernel * kernel))
            nodes.append(h.make_node("QLinearConv", [f"t{i}", "sx", "zx", f"w{i}", f"sw{i}", "zw", "sy", "zx", f"b{i}"],
                                     [f"t{i + 1}"], pads=[pad] * 4, strides=[stride] * 2, group=groups,
                                     kernel_shape=[kernel] * 2))
        out = (size + 2 * pad - kernel) // stride + 1
        sess = session(nodes, [h.make_tensor_value_info("t0", T.UINT8, [1, cin, size, size])],
                       [h.make_tensor_value_info(f"t{length}", T.UINT8, [1, cout, out, out])], consts)
        seconds = measure(sess, {"t0": rng.integers(0, 255, (1, cin, size, size), dtype=np.uint8)}) / length
        report(name, "QLinearConv", seconds, 2.0 * out * out * cout * (cin // groups) * kernel * kernel)


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    if what in ("gemm", "all"):
        gemm()
    if what in ("conv", "all"):
        conv()
