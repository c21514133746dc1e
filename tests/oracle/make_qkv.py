#!/usr/bin/env python3
"""Reference values for `06_self_attention --qkv`: softmax(Q K^T / sqrt(d)) V by PyTorch in float64.

Run with Debian's python3 and python3-torch (1.13) from the root of the repository:

    /usr/bin/python3 tests/oracle/make_qkv.py

It writes qkv.tsv, a file as a student would write it, and qkv.txt, the weights and the output (see make_fixtures.py).
"""
import math
import os

import torch

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    torch.manual_seed(6)
    blocks = {name: torch.round(torch.randn(*shape) * 1000) / 1000
              for name, shape in (("Q", (4, 6)), ("K", (7, 6)), ("V", (7, 5)))}
    blocks["Q"][3] = torch.tensor([12.0, -9, 7, 0, 5, -3])  # large scores: weights near 0 and 1
    with open(os.path.join(HERE, "qkv.tsv"), "w") as file:
        file.write("# Q, K and V for 06_self_attention --qkv; written by make_qkv.py\n")
        for name, block in blocks.items():
            file.write(name + "\n")
            for row in block.tolist():
                file.write("\t".join("%.4g" % number for number in row) + "\n")
    weights = torch.softmax(blocks["Q"] @ blocks["K"].T / math.sqrt(6), -1)
    with open(os.path.join(HERE, "qkv.txt"), "w") as file:
        file.write("# written by make_qkv.py; torch %s\n" % torch.__version__)
        for name, result in (("qkv.weights", weights), ("qkv.output", weights @ blocks["V"])):
            values = " ".join("%.13g" % number for number in result.reshape(-1).tolist())
            file.write("%s [%d, %d] %s\n" % (name, *result.shape, values))


main()
