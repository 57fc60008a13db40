"""AutoencoderKL with the names and operations of Stable Diffusion's `first_stage_model`, as narrow as 128×128 emoji allow.

One residual block per level. The decoder's last level is twice as wide as the one before it: with as many channels as there are
norm groups (32) the last norm would take the mean off every channel, and with it the colour of the background.
"""

import torch
import torch.nn.functional as F
from torch import nn

from norm import GroupNorm

LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
ENCODER_WIDTHS = (32, 32, 64, 128)
DECODER_WIDTHS = (64, 32, 64, 128)


def norm(channels, silu=True):
    return GroupNorm(channels, eps=1e-6, silu=silu)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        hidden = min(inputs, outputs)
        self.norm1 = norm(inputs)
        self.conv1 = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.norm2 = norm(hidden)
        self.conv2 = nn.Conv2d(hidden, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        hidden = self.conv1(self.norm1(x))
        hidden = self.conv2(self.norm2(hidden))
        return hidden + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels, silu=False)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        normal = self.norm(x)
        q, k, v = (layer(normal).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        result = F.scaled_dot_product_attention(q, k, v)
        return x + self.proj_out(result.transpose(1, 2).reshape(x.shape))


class Middle(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.block_1 = Residual(channels, channels)
        self.attn_1 = Attention(channels)
        self.block_2 = Residual(channels, channels)

    def forward(self, x):
        return self.block_2(self.attn_1(self.block_1(x)))


class Halve(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Double(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Encoder(nn.Module):
    def __init__(self, widths=ENCODER_WIDTHS):
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        channels = widths[0]
        for index, width in enumerate(widths):
            level = nn.Module()
            level.block = nn.ModuleList([Residual(channels, width)])
            channels = width
            if index + 1 < len(widths):
                level.downsample = Halve(channels)
            self.down.append(level)
        self.mid = Middle(channels)
        self.norm_out = norm(channels)
        self.conv_out = nn.Conv2d(channels, 2 * LATENT_CHANNELS, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for level in self.down:
            x = level.block[0](x)
            if hasattr(level, "downsample"):
                x = level.downsample(x)
        return self.conv_out(self.norm_out(self.mid(x)))


class Decoder(nn.Module):
    def __init__(self, widths=DECODER_WIDTHS):
        super().__init__()
        channels = widths[-1]
        self.conv_in = nn.Conv2d(LATENT_CHANNELS, channels, 3, padding=1)
        self.mid = Middle(channels)
        levels = []
        for index in reversed(range(len(widths))):
            level = nn.Module()
            level.block = nn.ModuleList([Residual(channels, widths[index])])
            channels = widths[index]
            if index > 0:
                level.upsample = Double(channels)
            levels.insert(0, level)
        self.up = nn.ModuleList(levels)
        self.norm_out = norm(channels)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, z):
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level.block[0](x)
            if hasattr(level, "upsample"):
                x = level.upsample(x)
        return self.conv_out(self.norm_out(x))


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.quant_conv = nn.Conv2d(2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, 1)
        self.post_quant_conv = nn.Conv2d(LATENT_CHANNELS, LATENT_CHANNELS, 1)

    def moments(self, pictures):
        """Mean and logarithm of the variance of the latents."""
        mean, log_variance = self.quant_conv(self.encoder(pictures)).chunk(2, dim=1)
        return mean, log_variance.clamp(-30, 20)

    def encode(self, pictures):
        """Latents as the diffusion model takes them."""
        return self.moments(pictures)[0] * LATENT_SCALE

    def decode(self, latents):
        return self.decoder(self.post_quant_conv(latents / LATENT_SCALE))

    @torch.no_grad()
    def rescale(self, mean, deviation):
        """Folds into the 1×1 convolutions that scaled latents get mean 0 and deviation 1, given what their channels have now."""
        shift, factor = mean / LATENT_SCALE, 1 / deviation
        outwards = self.post_quant_conv
        outwards.bias += outwards.weight.flatten(1) @ shift
        outwards.weight /= factor[None, :, None, None]
        inwards = self.quant_conv
        inwards.weight[:LATENT_CHANNELS] *= factor[:, None, None, None]
        inwards.bias[:LATENT_CHANNELS] = (inwards.bias[:LATENT_CHANNELS] - shift) * factor
        inwards.bias[LATENT_CHANNELS:] += 2 * factor.log()
