"""Other forms of quantized models: the float model inside a QDQ model, and the QDQ form of a QLinear model."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

_QLINEAR = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul", "QLinearAdd": "Add"}


def _floats(values, scale, zero, axis):
    """Dequantized constants as float32; one scale for all, or one for each place along `axis`."""
    if scale.size != 1:
        along = [-1 if i == axis else 1 for i in range(values.ndim)]
        scale, zero = scale.reshape(along), zero.reshape(along) if zero.size != 1 else zero
    return ((values.astype(np.float64) - zero.astype(np.float64)) * scale).astype(np.float32)


def simulated(model):
    """QLinear nodes as DequantizeLinear, float op, QuantizeLinear: what they mean, exactly. ONNX Runtime's own
    kernels for them saturate in 16 bits on processors without VNNI and so give other results there."""
    graph, nodes = model.graph, []
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type not in _QLINEAR:
            nodes.append(node)
            continue
        inputs, prefix = list(node.input), node.output[0]
        operands = []

        def dequantized(name, group, axis):
            operands.append(f"{prefix}/{len(operands)}")
            if name in constants:
                floats = _floats(*(constants[n] for n in group), axis)
                graph.initializer.append(numpy_helper.from_array(floats, operands[-1]))
            else:
                nodes.append(helper.make_node("DequantizeLinear", group, [operands[-1]]))

        convolution = node.op_type == "QLinearConv"
        dequantized(inputs[0], inputs[0:3], 0)
        dequantized(inputs[3], inputs[3:6], 0 if convolution else 1)
        if convolution and len(inputs) > 8:
            # The int32 bias counts in units of the product of the two scales.
            bias = constants[inputs[8]] * (constants[inputs[1]].astype(np.float64) * constants[inputs[4]])
            operands.append(prefix + "/bias")
            graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), operands[-1]))
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        nodes.append(helper.make_node(_QLINEAR[node.op_type], operands, [prefix + "/y"], **attributes))
        nodes.append(helper.make_node("QuantizeLinear", [prefix + "/y", *inputs[6:8]], list(node.output)))
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def float_twin(model):
    """Q/DQ pairs on activations removed, quantized constants written as floats."""
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    renamed, kept = {}, []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            values, scale, *zero = (constants[n] for n in node.input)
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            floats = _floats(values, scale, zero[0] if zero else np.zeros((), values.dtype), axis)
            graph.initializer.append(numpy_helper.from_array(floats, node.output[0]))
        elif node.op_type == "DequantizeLinear" and producers[node.input[0]].op_type == "QuantizeLinear":
            renamed[node.output[0]] = producers[node.input[0]].input[0]
        elif node.op_type != "QuantizeLinear":
            kept.append(node)

    def original(name):
        while name in renamed:
            name = renamed[name]
        return name

    # What the graph returns keeps its name.
    final = {original(o.name): o.name for o in graph.output if o.name in renamed}
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
