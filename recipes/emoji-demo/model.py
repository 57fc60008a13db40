"""The whole model: all sizes, and the names that a checkpoint gives its three parts."""

import torch
from torch import nn

from autoencoder import Autoencoder
from text import TextEncoder, Tokenizer
from unet import UNet

TEXT_WIDTH = 192
TEXT_DEPTH = 2
UNET = {"base": 64, "multiples": (1, 2, 3), "attends": (False, False, True), "context": TEXT_WIDTH, "blocks_up": 2}

PREFIXES = {
    "text": "cond_stage_model.transformer.text_model.",
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
}


class Diffusion(nn.Module):
    """What is trained together: the text encoder and the UNet."""

    def __init__(self, entries):
        super().__init__()
        self.text = TextEncoder(TEXT_WIDTH, TEXT_DEPTH, entries)
        self.unet = UNet(**UNET)


class Model(nn.Module):
    """All three parts, and texts as input."""

    def __init__(self):
        super().__init__()
        self.tokenizer = Tokenizer()
        self.text = TextEncoder(TEXT_WIDTH, TEXT_DEPTH)
        self.unet = UNet(**UNET)
        self.vae = Autoencoder()

    def encode(self, texts):
        device = self.text.final_layer_norm.weight.device
        return self.text(self.tokenizer.rows(texts).to(device))

    def tensors(self):
        """All tensors by their names in a checkpoint."""
        return {
            prefix + name: tensor
            for part, prefix in PREFIXES.items()
            for name, tensor in getattr(self, part).state_dict().items()
        }

    def load(self, tensors):
        for part, prefix in PREFIXES.items():
            own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            own.pop("embeddings.position_ids", None)
            getattr(self, part).load_state_dict({name: tensor.float() for name, tensor in own.items()})
        return self


def noises(seeds, side=16):
    """The noise that ComfyUI draws for one latent of each seed."""
    return torch.cat([torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
