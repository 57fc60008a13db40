"""Operations per second of one thread of PyTorch, for the sizes and under the names of rate.rs, in f32 and bf16.

    python rate.py [ROUNDS [NAME]]

The best of some rounds counts, in time of the processor.
"""

import sys
import time

import torch
import torch.nn.functional as functional

PRODUCTS = [
    [8192, 320, 320],
    [8192, 320, 2560],
    [8192, 1280, 320],
    [2048, 640, 640],
    [2048, 640, 5120],
    [2048, 2560, 640],
    [512, 1280, 1280],
    [512, 1280, 10240],
    [512, 5120, 1280],
    [128, 1280, 10240],
    [154, 768, 1280],
]
CONVOLUTIONS = [
    [1, 320, 320, 64, 64],
    [1, 960, 320, 64, 64],
    [1, 640, 640, 32, 32],
    [2, 320, 320, 32, 32],
    [2, 1280, 1280, 16, 16],
    [2, 640, 640, 16, 16],
    [2, 2560, 1280, 16, 16],
    [2, 1280, 1280, 8, 8],
    [2, 2560, 1280, 8, 8],
    [2, 2560, 1280, 4, 4],
    [1, 512, 512, 64, 64],
    [1, 512, 512, 128, 128],
    [1, 512, 512, 256, 256],
    [1, 256, 256, 256, 256],
    [1, 256, 256, 512, 512],
    [1, 128, 128, 512, 512],
]
ATTENTIONS = [
    [4096, 4096, 8, 40],
    [1024, 1024, 8, 80],
    [256, 256, 8, 160],
    [4096, 77, 8, 40],
    [1024, 77, 8, 80],
    [4096, 4096, 1, 512],
]


def best(work, rounds):
    work()
    seconds = []
    for _ in range(rounds):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return min(seconds)


def works():
    """Name, operations, function and shapes of its inputs."""
    for rows, depth, columns in PRODUCTS:
        name = f"product {rows}×{depth}×{columns}"
        yield name, 2 * rows * depth * columns, functional.linear, [(rows, depth), (columns, depth)]
    for count, channels, outputs, height, width in CONVOLUTIONS:
        name = f"convolution {count} of {channels}→{outputs} at {height}×{width}"
        operations = 2 * count * outputs * channels * 9 * height * width
        shapes = [(count, channels, height, width), (outputs, channels, 3, 3)]
        yield name, operations, lambda x, weight: functional.conv2d(x, weight, padding=1), shapes
    for queries, keys, heads, size in ATTENTIONS:
        name = f"attention {queries}×{keys} of {heads} heads of {size}"
        shapes = [(1, queries, heads, size), (1, keys, heads, size), (1, keys, heads, size)]

        def attend(*inputs):
            query, key, value = (tokens.transpose(1, 2) for tokens in inputs)
            return functional.scaled_dot_product_attention(query, key, value)

        yield name, 4 * queries * keys * heads * size, attend, shapes


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    torch.set_num_threads(1)
    print(f"GFLOP/s, PyTorch {torch.__version__}")
    for name, operations, function, shapes in works():
        if only not in name:
            continue
        rates = []
        for kind, label in [(torch.float32, "f32"), (torch.bfloat16, "bf16")]:
            inputs = [torch.randn(shape).to(kind) for shape in shapes]
            seconds = best(lambda: function(*inputs), rounds)
            rates.append(f"{label} {operations / seconds / 1e9:.0f}")
        print(f"{name}: {', '.join(rates)}", flush=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
