#!/usr/bin/env python3
"""Reads and writes files of weights (common/weights.h) with NumPy alone.

    check_weights.py FILE          prints each tensor: name, type, shape, values
    check_weights.py --write FILE  writes what tests/weights.c expects to read
"""
import json
import sys

import numpy as np

DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}


def load(path):
    with open(path, "rb") as file:
        n = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(n))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], DTYPES[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}


def save(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"data_offsets": [len(data), end], "shape": list(array.shape),
                        "dtype": {4: "F32", 8: "F64"}[array.itemsize]}
        data += array.tobytes()
    text = json.dumps(header, indent=1).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


if sys.argv[1] == "--write":
    kind = DTYPES[sys.argv[3]]
    save(sys.argv[2], {"단어": np.arange(4, dtype=kind) / 4,
                       "layer.weight": np.arange(6, dtype=kind).reshape(2, 3) - 0.5,
                       "scalar": np.array(-7, dtype=kind)}, {"note": "x" * 1000, "quoted": '"\\\n\u20ac\U0001f600'})
else:
    for name, array in load(sys.argv[1]).items():
        print(name, array.dtype, list(array.shape), " ".join("%.9g" % v for v in array.reshape(-1)))
