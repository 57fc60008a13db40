"""Puts the trained parts into one checkpoint in Stable Diffusion 1's layout, and packs it.

    python export.py DATA     → DATA/emoji-demo.safetensors, DATA/emoji-demo.safetensors.packed
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Model
from packing import pack
from text import Vocabulary

# What servers show of it. The keys are those of the Stability AI Model Metadata Standard; the example is for the form of comfy-server's page.
METADATA = {
    "modelspec.title": "emoji-demo",
    "modelspec.description": "A small latent diffusion model that draws emoji.",
    "modelspec.license": "MIT OR Apache-2.0; drawings resemble those of Noto Emoji (Google, Apache-2.0) and Fluent Emoji (Microsoft, MIT)",
    "modelspec.resolution": "128x128",
    "modelspec.usage_hint": "Name a thing and a style, noto or fluent, and perhaps a background: pizza on a blue background, fluent.",
    "comfy-server.example": json.dumps(
        {"positive": "a red apple, noto", "negative": "", "steps": 20, "guidance": 4, "sampler": "euler", "scheduler": "normal"}
    ),
}


def assembled(data):
    """The whole model of what the trainings left."""
    model = Model()
    model.vae.load_state_dict(torch.load(data / "vae.pt", map_location="cpu"))
    stored = torch.load(data / "unet.pt", map_location="cpu")
    trained = stored["average"]
    table = "text.embeddings.token_embedding.weight"
    trained[table] = Vocabulary(stored["vocabulary"].tolist()).whole(trained[table])
    for part in ("text", "unet"):
        own = {name.removeprefix(f"{part}."): t for name, t in trained.items() if name.startswith(f"{part}.")}
        getattr(model, part).load_state_dict(own)
    return model


def main(data):
    tensors = {name: tensor.bfloat16().contiguous() for name, tensor in assembled(data).tensors().items()}
    checkpoint = data / "emoji-demo.safetensors"
    save_file(tensors, checkpoint, metadata=METADATA)
    packed = pack(checkpoint.read_bytes())
    checkpoint.with_suffix(".safetensors.packed").write_bytes(packed)
    print(f"{sum(t.numel() for t in tensors.values())} values, {checkpoint.stat().st_size} bytes, packed {len(packed)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
