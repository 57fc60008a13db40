"""Group norm with SiLU. On CPUs, where PyTorch's own takes most of a training's time, training takes that of `norm.cpp`."""

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn


@cache
def native():
    from torch.utils.cpp_extension import load

    flags = ["-O3", "-march=native", "-ffast-math", "-Wno-attributes"]
    return load("emoji_demo_norm", [str(Path(__file__).parent / "norm.cpp")], extra_cflags=flags)


class Native(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps, silu):
        y, mean, inverse = native().forward(x, weight, bias, groups, eps, silu)
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.silu = silu
        return y

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        dx, dweight, dbias = native().backward(gradient, *ctx.saved_tensors, ctx.silu)
        return dx, dweight, dbias, None, None, None


class GroupNorm(nn.GroupNorm):
    """Group norm, by choice followed by SiLU."""

    def __init__(self, channels, eps, silu=True):
        super().__init__(32, channels, eps=eps)
        self.silu = silu

    def forward(self, x):
        fits = x.dtype == torch.bfloat16 and x.is_contiguous(memory_format=torch.channels_last)
        if x.device.type == "cpu" and fits and torch.is_grad_enabled():
            return Native.apply(x, self.weight, self.bias, self.num_groups, self.eps, self.silu)
        y = super().forward(x)
        return F.silu(y) if self.silu else y
