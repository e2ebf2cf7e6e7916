"""The number in a `TensorProto`, where it holds exactly one."""

import struct
from math import prod
from typing import Any

from tensorboard.compat.proto import types_pb2

# type -> layout of one element in tensor_content (little endian), and the field that holds it otherwise.
_LAYOUTS: dict[int, tuple[str, str]] = {
    types_pb2.DT_FLOAT: ("<f", "float_val"),
    types_pb2.DT_DOUBLE: ("<d", "double_val"),
    types_pb2.DT_HALF: ("<e", "half_val"),
    types_pb2.DT_BFLOAT16: ("<H", "half_val"),
    types_pb2.DT_INT8: ("<b", "int_val"),
    types_pb2.DT_INT16: ("<h", "int_val"),
    types_pb2.DT_INT32: ("<i", "int_val"),
    types_pb2.DT_INT64: ("<q", "int64_val"),
    types_pb2.DT_UINT8: ("<B", "int_val"),
    types_pb2.DT_UINT16: ("<H", "int_val"),
    types_pb2.DT_UINT32: ("<I", "uint32_val"),
    types_pb2.DT_UINT64: ("<Q", "uint64_val"),
    types_pb2.DT_BOOL: ("<?", "bool_val"),
}


def one_number(tensor: Any) -> float | None:
    """Read a tensor of one element, of any rank, as a float.

    Returns None for text, complex numbers and quantised types, for any other number of elements, and for
    contents that contradict the type. A tensor that gives its shape and no contents holds zero, as in
    TensorFlow's `Tensor::FromProto`.
    """
    layout = _LAYOUTS.get(tensor.dtype)
    if layout is None or prod(dimension.size for dimension in tensor.tensor_shape.dim) != 1:
        return None
    pattern, field = layout
    if tensor.tensor_content:
        if len(tensor.tensor_content) != struct.calcsize(pattern):
            return None
        number = struct.unpack(pattern, tensor.tensor_content)[0]
    else:
        elements = getattr(tensor, field)
        if len(elements) > 1:
            return None
        number = elements[0] if elements else 0
        if tensor.dtype == types_pb2.DT_HALF:
            number = struct.unpack("<e", struct.pack("<H", number & 0xFFFF))[0]
    if tensor.dtype == types_pb2.DT_BFLOAT16:
        # The upper half of a float32.
        number = struct.unpack("<f", struct.pack("<HH", 0, number & 0xFFFF))[0]
    return float(number)
