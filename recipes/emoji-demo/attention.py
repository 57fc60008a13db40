"""Attention by plain products: for short heads on CPUs several times faster to train than PyTorch's fused one."""

import torch


def attend(q, k, v, is_causal=False):
    """Of queries, keys and values `[n, heads, tokens, size]`."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
    if is_causal:
        scores = scores + torch.full(scores.shape[2:], -1e4, device=q.device, dtype=scores.dtype).triu(1)
    return scores.softmax(dim=-1).to(v.dtype) @ v
