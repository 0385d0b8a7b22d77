#!/usr/bin/env python3
"""Writes the node cases of the ONNX backend test as folders for `model-pack onnx-test`.

    generate.py OUT_DIR

OUT_DIR/<case>/ gets model.onnx, test_data_set_<n>/{input,output}_<i>.pb and data.json with the tolerances the
case asks for. The `onnx` package has a generator of its own, but since 1.23 it leaves the node cases out.
Needs `onnx`; the cases, and so the totals, belong to the version pinned in tests/requirements.txt.
"""

import json
import pathlib
import shutil
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def tensor(value, elem_type, name):
    """A TensorProto of the declared element type: NumPy arrays of small floats carry none of their own."""
    if isinstance(value, onnx.TensorProto):
        proto = onnx.TensorProto()
        proto.CopyFrom(value)
        proto.name = name
        return proto
    proto = numpy_helper.from_array(np.asarray(value), name)
    if elem_type and proto.data_type != elem_type:
        raise ValueError(f"{name}: is {proto.data_type}, declared as {elem_type}")
    return proto


def serialize(value, info):
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        inner = info.type.optional_type.elem_type.WhichOneof("value")
        if value is None:
            # from_optional cannot tell what kind of nothing this is.
            proto = numpy_helper.from_optional(None, info.name)
            proto.elem_type = onnx.OptionalProto.SEQUENCE if inner == "sequence_type" else onnx.OptionalProto.TENSOR
            return proto
        return numpy_helper.from_optional(value, info.name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    return tensor(value, info.type.tensor_type.elem_type, info.name)


def write_case(case, folder):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    (folder / "data.json").write_text(json.dumps({"rtol": case.rtol, "atol": case.atol}) + "\n")
    graph = case.model.graph
    for n, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{n}"
        data.mkdir()
        for prefix, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for i, (value, info) in enumerate(zip(values, infos, strict=True)):
                (data / f"{prefix}_{i}.pb").write_bytes(serialize(value, info).SerializeToString())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    stamp = out / "generated.json"
    wanted = {"onnx": onnx.__version__}
    if stamp.exists() and json.loads(stamp.read_text()).items() >= wanted.items():
        return
    shutil.rmtree(out, ignore_errors=True)
    warnings.filterwarnings("ignore")
    cases = [c for c in collect_testcases() if c.model is not None]
    for case in cases:
        write_case(case, out / case.name)
    # Last, so that an interrupted run is done again.
    stamp.write_text(json.dumps(wanted | {"cases": len(cases)}) + "\n")
    print(f"{len(cases)} cases of onnx {onnx.__version__} in {out}")


if __name__ == "__main__":
    main()
