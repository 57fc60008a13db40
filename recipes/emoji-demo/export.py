"""Puts the trained parts into one checkpoint in Stable Diffusion 1's layout, and packs it.

    python export.py DATA     → DATA/emoji-demo.safetensors, DATA/emoji-demo.safetensors.packed
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Model
from packing import pack
from text import Vocabulary

METADATA = {
    "title": "emoji-demo",
    "license": "MIT OR Apache-2.0",
    "attribution": "trained on pictures of Noto Emoji (Google, Apache-2.0) and Fluent Emoji (Microsoft, MIT)",
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
