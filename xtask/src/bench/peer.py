#!/usr/bin/env python3
"""PyTorch's side of `cargo xtask bench`: the same works as our side, by diffusers' and transformers' models of the same weights.

    peer.py serve CHECKPOINT [--device cuda] [--dtype float16]     answers requests, a line of JSON each
    peer.py picture CHECKPOINT SIDE STEPS FILE [--device …]        makes one picture and ends; prints its peak memory
    peer.py comfyui CHECKOUT WORKFLOW PATHS [--device …]           starts ComfyUI, makes one picture and ends; prints its peak memory
    peer.py sdxl FILE                                              writes a UNet of SDXL's size with random weights in half precision

Requests and answers are described in crates/comfy-diffusion/examples/speed.rs. A checkpoint is one of Stable Diffusion 1.5, or a UNet of
SDXL as `sdxl` writes it. WORKFLOW is a prompt in the API's form, PATHS a file for --extra-model-paths-config.
Needs torch, diffusers, transformers and safetensors; fetches nothing.
"""
import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from safetensors import safe_open

TIMESTEP = 981.0
# "a photo of a cat" and "bad", between their marks.
PROMPT = [49406, 320, 1125, 539, 320, 2368]
NEGATIVE = [49406, 2018]
PADDING = 49407
SCALE = 0.18215

UNET = dict(
    sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280, 1280),
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    cross_attention_dim=768, attention_head_dim=8,
)
SDXL = dict(
    sample_size=128, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2, 10),
    attention_head_dim=(5, 10, 20), cross_attention_dim=2048, use_linear_projection=True, addition_embed_type="text_time",
    addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
)
VAE = dict(
    in_channels=3, out_channels=3, block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
)
TEXT = dict(
    vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    max_position_embeddings=77, hidden_act="quick_gelu",
)


class Checkpoint:
    """The parts of a checkpoint, each made when it is first asked for."""

    def __init__(self, path, device, dtype):
        self.path, self.device, self.dtype, self.parts = path, device, dtype, {}

    def weights(self, prefix):
        with safe_open(self.path, "pt") as file:
            return {name: file.get_tensor(name).float() for name in file.keys() if name.startswith(prefix)}

    def part(self, name):
        if name not in self.parts:
            self.parts[name] = getattr(self, "make_" + name)().to(self.device, self.dtype).eval()
        return self.parts[name]

    def make_unet(self):
        from diffusers import UNet2DConditionModel
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

        weights = self.weights("model.diffusion_model.")
        # Without memory of its own, which would be filled and thrown away.
        with torch.device("meta"):
            unet = UNet2DConditionModel(**(UNET if weights else SDXL))
        weights = convert_ldm_unet_checkpoint(weights, dict(unet.config)) if weights else self.weights("")
        unet.load_state_dict(weights, assign=True)
        return unet

    def make_vae(self):
        from diffusers import AutoencoderKL
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        vae = AutoencoderKL(**VAE)
        vae.load_state_dict(convert_ldm_vae_checkpoint(self.weights("first_stage_model."), dict(vae.config)))
        return vae

    def make_text(self):
        from transformers import CLIPTextConfig, CLIPTextModel

        prefix = "cond_stage_model.transformer."
        text = CLIPTextModel(CLIPTextConfig(**TEXT))
        weights = {name[len(prefix):]: value for name, value in self.weights(prefix).items()}
        # Since transformers 5 the names have no such beginning.
        if not any(name.startswith("text_model.") for name in text.state_dict()):
            weights = {name.removeprefix("text_model."): value for name, value in weights.items()}
        missing, _ = text.load_state_dict(weights, strict=False)
        assert all("position_ids" in name for name in missing), missing
        return text

    def tensor(self, value):
        return torch.as_tensor(value).to(self.device, self.dtype)

    def tokens(self, ids):
        return torch.tensor([ids + [PADDING] * (77 - len(ids))], device=self.device)


def read(given):
    values = torch.frombuffer(bytearray(open(given["file"], "rb").read()), dtype=torch.float32)
    return values.reshape(given["shape"])


def prepare(checkpoint, request):
    """A function that does the work."""
    work, inputs = request["work"], {name: checkpoint.tensor(read(given)) for name, given in request.get("inputs", {}).items()}
    if work == "unet":
        unet, time_ = checkpoint.part("unet"), torch.tensor(TIMESTEP, device=checkpoint.device)
        more = {}
        if "label" in inputs:
            # The label of SDXL: the pooled text, then six numbers by 256 sines and cosines each, which diffusers makes of the numbers.
            # So that both sides get the same, they are given here and the step that makes them is replaced.
            pooled, sines = inputs["label"][:, :1280], inputs["label"][:, 1280:]
            unet.add_time_proj.forward = lambda _: sines.reshape(-1, 256)
            more = {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": torch.zeros(len(pooled), 6, device=checkpoint.device)}}
        return lambda: unet(inputs["latent"], time_, inputs["context"], **more).sample
    if work == "decode":
        vae = checkpoint.part("vae")
        return lambda: (vae.decode(inputs["latent"]).sample / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    if work == "encode":
        vae = checkpoint.part("vae")
        return lambda: vae.encode(inputs["image"].permute(0, 3, 1, 2) * 2 - 1).latent_dist.mean
    text, ids = checkpoint.part("text"), checkpoint.tokens(PROMPT)
    return lambda: text(ids).last_hidden_state


def profiled(work):
    activities = [torch.profiler.ProfilerActivity.CPU]
    on_card = torch.cuda.is_available()
    if on_card:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        result = work()
    spent = lambda event: event.self_device_time_total if on_card else event.self_cpu_time_total
    events = sorted(profile.key_averages(), key=spent, reverse=True)
    return result, [[event.key, event.count, spent(event) / 1e6] for event in events if spent(event) > 0]


def matrix_rate(device, dtype):
    """Operations a second of a large matrix product: what the machine has to give in this precision."""
    size, rounds = (2048, 5) if device == "cpu" else (8192, 20)
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def seconds():
        start = time.perf_counter()
        left @ right
        wait(device)
        return time.perf_counter() - start

    seconds()
    return 2 * size**3 / min(seconds() for _ in range(rounds))


def wait(device):
    if device != "cpu":
        torch.cuda.synchronize()


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@torch.inference_mode()
def serve(checkpoint):
    name = torch.cuda.get_device_name() if checkpoint.device != "cpu" else f"{torch.get_num_threads()} threads"
    rates = {str(dtype).removeprefix("torch."): matrix_rate(checkpoint.device, dtype) for dtype in (torch.bfloat16, checkpoint.dtype)}
    say({"device": name, "api": f"PyTorch {torch.__version__}", "seconds": 0.0, "strategies": str(checkpoint.dtype), "matrix_rates": rates})
    for line in sys.stdin:
        request, operators = json.loads(line), []
        work = prepare(checkpoint, request)
        wait(checkpoint.device)
        start = time.perf_counter()
        if request.get("profile"):
            result, operators = profiled(work)
        else:
            result = work()
        wait(checkpoint.device)
        seconds = time.perf_counter() - start
        if request.get("output"):
            with open(request["output"], "wb") as file:
                file.write(result.float().cpu().contiguous().numpy().tobytes())
        say({"seconds": seconds, "peak_mib": peak_mib(), "operators": operators})


def say(message):
    print(json.dumps(message), flush=True)


@torch.inference_mode()
def picture(checkpoint, side, steps, path):
    """Euler's method with guidance 7, as a program of few lines would do it."""
    from diffusers import EulerDiscreteScheduler
    from PIL import Image

    text = checkpoint.part("text")
    context = torch.cat([text(checkpoint.tokens(ids)).last_hidden_state for ids in (NEGATIVE, PROMPT)])
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    scheduler.set_timesteps(steps)
    noise = torch.randn(1, 4, side // 8, side // 8, generator=torch.Generator().manual_seed(42))
    latent = checkpoint.tensor(noise) * scheduler.init_noise_sigma
    unet = checkpoint.part("unet")
    for step in scheduler.timesteps:
        both = scheduler.scale_model_input(torch.cat([latent] * 2), step)
        negative, positive = unet(both, step.to(checkpoint.device), context).sample.chunk(2)
        latent = scheduler.step(negative + 7 * (positive - negative), step, latent).prev_sample
    image = checkpoint.part("vae").decode(latent / SCALE).sample[0]
    pixels = ((image / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    Image.fromarray(pixels.cpu().numpy()).save(path)
    say({"peak_mib": peak_mib()})


def comfyui(checkout, workflow, paths, device):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, os.path.join(checkout, "main.py"), "--port", address.split(":")[1], "--extra-model-paths-config", paths]
        command += ["--disable-all-custom-nodes", "--front-end-root", folder, "--database-url", "sqlite:///:memory:"]
        for name in ("output", "input", "temp", "user"):
            command += [f"--{name}-directory", folder]
        process = subprocess.Popen(command + ["--cpu"] * (device == "cpu"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(process, address, "/prompt")
            with open(workflow) as file:
                body = json.dumps({"prompt": json.load(file)}).encode()
            id_ = json.load(urllib.request.urlopen(f"http://{address}/prompt", body))["prompt_id"]
            entry = wait_for(process, address, f"/history/{id_}")[id_]
            assert entry["status"]["status_str"] == "success", entry["status"]
            with open(f"/proc/{process.pid}/status") as file:
                peak = next(line.split()[1] for line in file if line.startswith("VmHWM"))
        finally:
            process.kill()
            process.wait()
    say({"peak_mib": int(peak) / 1024})


def wait_for(process, address, path):
    """The answer that is not empty."""
    while process.poll() is None:
        try:
            if answer := json.load(urllib.request.urlopen(f"http://{address}{path}")):
                return answer
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"ComfyUI ended with {process.returncode}")


def write_sdxl(path):
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file

    torch.manual_seed(0)
    weights = UNet2DConditionModel(**SDXL).half().state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["serve", "picture", "comfyui", "sdxl"])
    parser.add_argument("path")
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    given = parser.parse_args()
    if given.what == "sdxl":
        write_sdxl(given.path)
    elif given.what == "comfyui":
        comfyui(given.path, *given.rest, given.device)
    else:
        opened = Checkpoint(given.path, given.device, getattr(torch, given.dtype))
        if given.what == "serve":
            serve(opened)
        else:
            side, steps, file = given.rest
            picture(opened, int(side), int(steps), file)
