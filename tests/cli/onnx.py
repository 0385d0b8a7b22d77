"""onnx.py FILE OP [TYPE] [INPUT,...] [OUTPUT] [NODE]: an ONNX model of one node, on 4 elements of a type (default float, 1).

Written byte by byte, so that names can be what no exporter would write.
"""

import sys


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, *parts):
    data = b"".join(p if isinstance(p, bytes) else p.encode() for p in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def value(field, name, dtype):
    return block(field, block(1, name), block(2, block(1, number(1, dtype), block(2, block(1, number(1, 4))))))


path, op, dtype, source, target, node = sys.argv[1:] + ["1", "x", "y", "n"][len(sys.argv) - 3:]
sources = source.split(",")
graph = block(7, block(1, *[block(1, s) for s in sources], block(2, target), block(3, node), block(4, op)), block(2, "g"),
              *[value(11, s, int(dtype)) for s in sources], value(12, target, int(dtype)))
with open(path, "wb") as file:
    file.write(number(1, 8) + graph + block(8, block(1, ""), number(2, 17)))
