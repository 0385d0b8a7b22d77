#!/usr/bin/env python3
"""Makes the float twin of a QDQ model: weights are dequantized, QuantizeLinear/DequantizeLinear pairs go.

    float_twin.py IN.onnx OUT.onnx        needs the Python packages onnx and numpy
"""

import sys

import numpy as np
import onnx
from onnx import numpy_helper


def dequantize(values, scale, zero, axis):
    if scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((values.astype(np.int64) - zero.astype(np.int64)) * scale.astype(np.float32)).astype(np.float32)


def float_twin(model):
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    replaced = {}  # the value that stands for another
    kept = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            continue
        if node.op_type != "DequantizeLinear":
            kept.append(node)
            continue
        source, output = node.input[0], node.output[0]
        if source in constants:
            array = numpy_helper.to_array(constants[source])
            scale = numpy_helper.to_array(constants[node.input[1]])
            has_zero = len(node.input) > 2 and node.input[2]
            zero = numpy_helper.to_array(constants[node.input[2]]) if has_zero else np.zeros_like(scale, dtype=np.int64)
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            graph.initializer.append(numpy_helper.from_array(dequantize(array, scale, zero, axis), output))
            continue
        quantize = producers.get(source)
        if quantize is None or quantize.op_type != "QuantizeLinear":
            raise SystemExit(f"'{output}' dequantizes '{source}', which no QuantizeLinear writes")
        replaced[output] = quantize.input[0]

    def resolve(name):
        while name in replaced:
            name = replaced[name]
        return name

    for node in kept:
        for i, name in enumerate(node.input):
            node.input[i] = resolve(name)
    # A graph output keeps its name.
    for output in graph.output:
        source = resolve(output.name)
        if source != output.name:
            kept.append(onnx.helper.make_node("Identity", [source], [output.name]))
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    initializers = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    onnx.save(float_twin(onnx.load(sys.argv[1])), sys.argv[2])
