"""The float model inside a QDQ model: Q/DQ pairs on activations removed, quantized constants written as floats."""

import numpy as np
import onnx
from onnx import numpy_helper


def float_twin(model):
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    renamed, kept = {}, []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            values, scale = constants[node.input[0]], constants[node.input[1]]
            zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros((), values.dtype)
            if scale.size != 1:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
                along = [-1 if i == axis else 1 for i in range(values.ndim)]
                scale, zero = scale.reshape(along), zero.reshape(along)
            floats = ((values.astype(np.float64) - zero.astype(np.float64)) * scale).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(floats, node.output[0]))
        elif node.op_type == "DequantizeLinear" and producers[node.input[0]].op_type == "QuantizeLinear":
            renamed[node.output[0]] = producers[node.input[0]].input[0]
        elif node.op_type != "QuantizeLinear":
            kept.append(node)

    def original(name):
        while name in renamed:
            name = renamed[name]
        return name

    outputs = {o.name for o in graph.output}
    final = {original(name): name for name in outputs if name in renamed}
    for node in kept:
        node.input[:] = [final.get(original(n), original(n)) for n in node.input]
        node.output[:] = [final.get(n, n) for n in node.output]
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    left = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(left)
    onnx.checker.check_model(model)
    return model
