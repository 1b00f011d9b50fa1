"""Writes the node tests of the onnx package: NAME/model.onnx, and NAME/data.onnx whose constants `in N NAME` and
`out N NAME` are the inputs and the expected outputs of its first data set. Tests on sequences, maps and optional values
are left out.

usage: python onnx_node_tests.py FOLDER        (pip install onnx==1.21: later sets are beyond the engine's)
"""
import os
import sys
import warnings

import onnx
from onnx import TensorProto, helper, numpy_helper

warnings.filterwarnings("ignore")
import onnx.backend.test.case.node as node_cases  # noqa: E402

folder = sys.argv[1]


def tensor(value, name):
    proto = TensorProto()
    proto.CopyFrom(value if isinstance(value, TensorProto) else numpy_helper.from_array(value))
    proto.name = name
    return proto


def is_tensor(info):
    return info.type.HasField("tensor_type")


written = 0
for case in node_cases.collect_testcases(None):
    graph = case.model.graph
    if not all(map(is_tensor, [*graph.input, *graph.output])) or not case.data_sets:
        continue
    inputs, outputs = case.data_sets[0]
    try:
        data = [tensor(v, f"in {i} {graph.input[i].name}") for i, v in enumerate(inputs)]
        data += [tensor(v, f"out {i} {graph.output[i].name}") for i, v in enumerate(outputs)]
    except TypeError:
        continue
    data.append(helper.make_tensor("any", TensorProto.FLOAT, [1], [0.0]))
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    values = helper.make_graph([helper.make_node("Identity", ["any"], ["y"])], "data", [], [value], data)
    where = os.path.join(folder, case.name)
    os.makedirs(where, exist_ok=True)
    onnx.save(case.model, os.path.join(where, "model.onnx"))
    onnx.save(helper.make_model(values, opset_imports=[helper.make_opsetid("", 18)]), os.path.join(where, "data.onnx"))
    written += 1
with open(os.path.join(folder, "version"), "w") as file:
    file.write(onnx.__version__)
print(onnx.__version__, written)
