"""Draws pictures with a server that speaks ComfyUI's HTTP API."""

import io
import json
import time
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from PIL import Image

SIDE = 128


def workflow(checkpoint, prompt, seed, steps, cfg, sampler, scheduler):
    def text(words):
        return {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": words}}

    return {
        "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "positive": text(prompt),
        "negative": text(""),
        "empty": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1}},
        "sampled": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["model", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["empty", 0],
                "seed": seed,
                "steps": steps,
                "cfg": cfg,
                "sampler_name": sampler,
                "scheduler": scheduler,
                "denoise": 1.0,
            },
        },
        "decoded": {"class_type": "VAEDecode", "inputs": {"samples": ["sampled", 0], "vae": ["model", 2]}},
        "saved": {"class_type": "SaveImage", "inputs": {"images": ["decoded", 0], "filename_prefix": "emoji-demo"}},
    }


def ask(address, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(address, data, {"Content-Type": "application/json"})) as answer:
        return answer.read()


def draw(address, checkpoint, prompt, seed, **settings):
    """The Pillow image that the server makes."""
    number = json.loads(ask(f"{address}/prompt", {"prompt": workflow(checkpoint, prompt, seed, **settings)}))["prompt_id"]
    while number not in (history := json.loads(ask(f"{address}/history/{number}"))):
        time.sleep(0.2)
    status = history[number]["status"]
    if status["status_str"] != "success":
        raise RuntimeError(f"the server could not draw {prompt!r}: {status}")
    saved = history[number]["outputs"]["saved"]["images"][0]
    return Image.open(io.BytesIO(ask(f"{address}/view?{urlencode(saved)}")))
