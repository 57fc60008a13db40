"""The UNet with the names and operations of Stable Diffusion 1's `model.diffusion_model`."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from attention import attend
from norm import GroupNorm

HEADS = 8


def norm_and_silu(channels):
    return GroupNorm(channels, eps=1e-5)


def timestep_embedding(timesteps, width):
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=timesteps.device).float() / half)
    angles = timesteps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.in_layers = nn.Sequential(norm_and_silu(inputs), nn.Identity(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))
        self.out_layers = nn.Sequential(
            norm_and_silu(outputs), nn.Identity(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        nn.init.zeros_(self.out_layers[3].weight)
        if inputs != outputs:
            self.skip_connection = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, embedding, _):
        hidden = self.in_layers(x) + self.emb_layers(embedding)[:, :, None, None]
        return self.out_layers(hidden) + (self.skip_connection(x) if hasattr(self, "skip_connection") else x)


class Attention(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x, context):
        q, k, v = (
            tensor.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for tensor in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        result = attend(q, k, v)
        return self.to_out(result.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(Gated(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x):
        return self.net(x)


class TransformerBlock(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = Attention(width, width)
        self.attn2 = Attention(width, context)
        self.ff = FeedForward(width)

    def forward(self, x, context):
        normal = self.norm1(x)
        x = x + self.attn1(normal, normal)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.norm = GroupNorm(width, eps=1e-6, silu=False)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, context)])
        self.proj_out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.proj_out.weight)

    def forward(self, x, _, context):
        hidden = self.proj_in(self.norm(x))
        tokens = hidden.permute(0, 2, 3, 1).flatten(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        hidden = tokens.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
        return x + self.proj_out(hidden)


class Halve(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x, *_):
        return self.op(x)


class Double(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x, *_):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Entry(nn.Conv2d):
    """The first convolution."""

    def forward(self, x, *_):
        return super().forward(x)


class UNet(nn.Module):
    def __init__(self, base, multiples, attends, context, blocks_up):
        super().__init__()
        embedding = 4 * base
        self.base = base
        self.time_embed = nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

        def stage(inputs, level):
            outputs = base * multiples[level]
            layers = [Residual(inputs, outputs, embedding)]
            if attends[level]:
                layers.append(Transformer(outputs, context))
            return layers, outputs

        self.input_blocks = nn.ModuleList([nn.ModuleList([Entry(4, base, 3, padding=1)])])
        channels, skips = base, [base]
        last = len(multiples) - 1
        for level in range(len(multiples)):
            layers, channels = stage(channels, level)
            self.input_blocks.append(nn.ModuleList(layers))
            skips.append(channels)
            if level < last:
                self.input_blocks.append(nn.ModuleList([Halve(channels)]))
                skips.append(channels)
        self.middle_block = nn.ModuleList(
            [Residual(channels, channels, embedding), Transformer(channels, context), Residual(channels, channels, embedding)]
        )
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(multiples))):
            for index in range(blocks_up):
                layers, channels = stage(channels + skips.pop(), level)
                if level > 0 and index + 1 == blocks_up:
                    layers.append(Double(channels))
                self.output_blocks.append(nn.ModuleList(layers))
        self.out = nn.Sequential(norm_and_silu(channels), nn.Identity(), nn.Conv2d(channels, 4, 3, padding=1))
        nn.init.zeros_(self.out[2].weight)

    def forward(self, x, timesteps, context):
        """The noise in latents `[n, 4, h, w]` that have variance 1."""
        embedding = self.time_embed(timestep_embedding(timesteps, self.base))

        def run(stage, x):
            for layer in stage:
                x = layer(x, embedding, context)
            return x

        skips = []
        for stage in self.input_blocks:
            x = run(stage, x)
            skips.append(x)
        x = run(self.middle_block, x)
        for stage in self.output_blocks:
            x = run(stage, torch.cat([x, skips.pop()], dim=1))
        x = self.out[0](x)
        # Not rounded once more: at high noise levels the picture is a small part of the result.
        with torch.autocast(x.device.type, enabled=False):
            return self.out[2](x.float())
