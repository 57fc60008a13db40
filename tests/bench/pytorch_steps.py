#!/usr/bin/env python3
"""UNet steps of a Stable Diffusion 1.5 checkpoint in PyTorch with diffusers, for comparison.

    pytorch_steps.py CHECKPOINT     reads a number of steps per line, answers with "<seconds a step> <peak memory in MiB>"

As with the server, the first step of a turn is not counted: a machine may have taken memory away while the other side had its turn.

Each step is one call with the conditional and the unconditional half in one batch, at 256x256 pixels, as the server's. Needs torch,
diffusers, transformers and safetensors; fetches nothing.
"""
import os
import resource
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors import safe_open

# What diffusers calls Stable Diffusion 1.5.
CONFIG = dict(
    sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280, 1280),
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    cross_attention_dim=768, attention_head_dim=8,
)


def load(path):
    with safe_open(path, "pt") as file:
        weights = {name: file.get_tensor(name).float() for name in file.keys() if name.startswith("model.diffusion_model.")}
    unet = UNet2DConditionModel(**CONFIG)
    unet.load_state_dict(convert_ldm_unet_checkpoint(weights, dict(unet.config)))
    return unet.eval()


@torch.inference_mode()
def main(path):
    unet = load(path)
    latent, context = torch.randn(2, 4, 32, 32), torch.randn(2, 77, 768)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    for line in sys.stdin:
        steps = int(line)
        for step in range(steps):
            if step == 1:
                start = time.perf_counter()
            unet(latent, torch.tensor(999 - 200 * step), context).sample
        seconds = (time.perf_counter() - start) / (steps - 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds:.4f} {peak:.0f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
