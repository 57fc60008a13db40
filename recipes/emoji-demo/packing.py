"""Packs a safetensors file of 16-bit tensors into less than a third.

A packed file is the gzip of the file with its data in another order: the header as it is (8 bytes length, then JSON), then the
second byte of every 16-bit value (sign and exponent), then the first byte of every value.

    python packing.py unpack emoji-demo.safetensors.packed emoji-demo.safetensors
    python packing.py pack   emoji-demo.safetensors emoji-demo.safetensors.packed
"""

import gzip
import sys
from pathlib import Path


def data_start(file):
    return 8 + int.from_bytes(file[:8], "little")


def pack(file):
    start = data_start(file)
    data = file[start:]
    # No time in it: equal files become equal packed files.
    return gzip.compress(file[:start] + data[1::2] + data[0::2], mtime=0)


def unpack(packed):
    planes = gzip.decompress(packed)
    start = data_start(planes)
    count = (len(planes) - start) // 2
    data = bytearray(2 * count)
    data[1::2] = planes[start : start + count]
    data[0::2] = planes[start + count :]
    return planes[:start] + bytes(data)


if __name__ == "__main__":
    action, source, target = sys.argv[1:]
    Path(target).write_bytes({"pack": pack, "unpack": unpack}[action](Path(source).read_bytes()))
