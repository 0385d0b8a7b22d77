#!/usr/bin/env python3
"""The quantized models keep their weights: what mobilenetv2_qdq and shufflenetv2_int8 hold, bit for bit.

Each model is packed, and the file read by the independent reader of tests/vectors. Every 8-bit weight of the ONNX file
must be the weight of an integer node, with its bytes, its scales and its zero points; so must the scales and zero points
of that node's input and output. A second copy of each model, in which every weight tensor contains -128, 127 and 0,
must come through the same way. Needs onnx, numpy and cryptography.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vectors"))
from model_pack import ModelPack, shared_dir, use_venv  # noqa: E402

use_venv("numpy", "onnx", "cryptography")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from reader import NONE, Keys, Policy, open_file  # noqa: E402

TYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8"}
INTEGER_NODES = ("ai.coffer::QConv", "ai.coffer::QMatMul", "QLinearConv", "QLinearMatMul")  # inputs in the same order


def packed_layers(file):
    """{name of the weights: the constants of its integer node}, in the file's order of inputs."""
    model = open_file(file.read_bytes(), Policy(allow_unsigned=True, allow_unprotected=True), Keys())
    manifest = model.manifest

    def constant(graph, id_):
        at = graph["values"][id_]["constant"] if id_ != NONE else NONE
        if at == NONE:
            return None
        t = manifest["tensors"][at]
        stored = np.dtype(TYPES[t["stored"] or t["dtype"]])
        values = np.frombuffer(model.payload[t["offset"]:t["offset"] + t["nbytes"]], stored).reshape(t["shape"])
        return t["name"], values.astype(TYPES[t["dtype"]])

    layers = {}
    for graph in manifest["graphs"]:
        for node in graph["nodes"]:
            if manifest["ops"][node["op"]] not in INTEGER_NODES:
                continue
            inputs = [constant(graph, i) for i in node["inputs"]] + [None] * (10 - len(node["inputs"]))
            layers[inputs[3][0]] = [value and value[1] for value in inputs]
    return layers


def original_layers(model):
    """{name of the weights: x scale, x zero, weights, scales, zeros, y scale, y zero} of an ONNX model."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    layers = {}
    for node in model.graph.node:
        if node.op_type == "QLinearConv" or (node.op_type == "QLinearMatMul" and node.input[3] in constants):
            _, *names = node.input
            layers[node.input[3]] = [constants[n] for n in names[:7]]
        elif node.op_type in ("Conv", "Gemm"):
            x, w = producers[node.input[0]], producers[node.input[1]]
            y = node.output[0]
            while readers[y][0].op_type == "Relu":
                y = readers[y][0].output[0]
            quantize = [r for r in readers[y] if r.op_type == "QuantizeLinear"]
            ends = [constants[n] for n in quantize[0].input[1:3]] if len(readers[y]) == 1 and quantize else [None, None]
            layers[w.input[0]] = [*(constants[n] for n in x.input[1:3]), *(constants[n] for n in w.input), *ends]
    return layers, {name for name, value in constants.items() if value.dtype in (np.int8, np.uint8) and value.ndim > 1}


def same(got, want, what):
    """Scales and zero points: equal everywhere; a zero point left out is 0."""
    if want is None:
        return None
    got = np.zeros((), want.dtype) if got is None and not want.any() else got
    if got is None or got.dtype != want.dtype or got.size not in (1, want.size) and want.size != 1:
        return f"{what}: {got} instead of {want}"
    return None if np.all(got.ravel() == want.ravel()) else f"{what} differ"


def check(pack, onnx_file, name):
    model = onnx.load(onnx_file)
    out = pack.dir / f"{name}.coffer"
    pack.call("pack", onnx_file, "-o", out, "--unprotected", "--json")
    packed = packed_layers(out)
    original, weights = original_layers(model)
    wrong = [f"'{w}': no layer of the file holds it" for w in sorted(weights - set(packed))]
    wrong += [f"'{w}': 8-bit weights that this test does not know the layer of" for w in sorted(weights - set(original))]
    for name_, (x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero) in original.items():
        if name_ not in packed:
            continue
        got = packed[name_]
        if got[3].dtype != w.dtype or got[3].shape != w.shape or got[3].tobytes() != w.tobytes():
            wrong.append(f"'{name_}': {np.sum(got[3] != w) if got[3].shape == w.shape else got[3].shape} weights differ")
        for index, want, what in ((1, x_scale, "scale of x"), (2, x_zero, "zero of x"), (4, w_scale, "scales"),
                                  (5, w_zero, "zeros"), (6, y_scale, "scale of y"), (7, y_zero, "zero of y")):
            # The result of the last layer may stay in float.
            if index >= 6 and got[6] is None:
                continue
            if text := same(got[index], want, f"'{name_}': {what}"):
                wrong.append(text)
    values = np.concatenate([layer[2].ravel() for layer in original.values()])
    print(f"{'FAILED' if wrong or not original else 'ok':<6} {name:<28} {len(original)} layers, {values.size} weights from "
          f"{values.min()} to {values.max()}", flush=True)  # fmt: skip
    for line in wrong[:10]:
        print("       ", line)
    return not wrong and bool(original)


def with_extremes(onnx_file, to):
    """The same model, but each weight tensor has all the ends of int8."""
    model = onnx.load(onnx_file)
    for t in model.graph.initializer:
        values = numpy_helper.to_array(t).copy()
        if values.dtype == np.int8 and values.ndim > 1:
            values.ravel()[:3] = -128, 127, 0
            t.CopyFrom(numpy_helper.from_array(values, t.name))
    onnx.save(model, to)
    return to


def main():
    fine = True
    with ModelPack() as pack:
        for name in ("mobilenetv2_qdq", "shufflenetv2_int8"):
            file = shared_dir() / "models" / name / "model.onnx"
            fine &= check(pack, file, name)
            fine &= check(pack, with_extremes(file, pack.dir / f"{name}.onnx"), name + " with -128")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
