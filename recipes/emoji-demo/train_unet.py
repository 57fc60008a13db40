"""Trains the text encoder and the UNet on the encoded pictures.

    python train_unet.py DATA --minutes 90     → DATA/unet.pt, DATA/unet.csv, DATA/probe.csv, DATA/probe.png

Goes on from DATA/unet.pt if there is one.
"""

import argparse
import csv
import random
from pathlib import Path

import torch

from autoencoder import Autoencoder
from captions import Captions, test_caption
from clock import Clock, settle_threads, trapezoid
from diffusion import SIGMAS, STEPS, sample
from ema import Average
from model import Diffusion, noises
from muon import Optimizers
from pictures import STYLES, concepts, sheet
from retrieval import ranks, tests, training_features
from text import Tokenizer, Vocabulary

# Noise levels drawn for each caption, one of each half of the schedule.
DRAWS = 2
# So many pictures are surely on white.
WHITE_SHARE = 0.6
# The most that an error in the noise counts, where the noise hides the picture.
LARGEST_WEIGHT = 100.0
PROBED = 60


class Batches:
    """Tokens and latents of random pictures."""

    def __init__(self, data, size, device):
        stored = torch.load(data / "latents.pt")
        self.latents = stored["latents"].float()
        self.entries = stored["entries"]
        self.white = [index for index, entry in enumerate(self.entries) if entry[2] == "white"]
        self.captions = Captions(concepts(data))
        self.tokenizer = Tokenizer()
        self.vocabulary = Vocabulary(self.tokenizer.tokens(self.captions.words()))
        self.size = size
        self.device = device
        self.random = random.Random(1)
        self.queue = []

    def tokens(self, texts):
        return self.vocabulary.compact(self.tokenizer.rows(texts)).to(self.device)

    def white_picture(self):
        """Every picture comes once before any comes again."""
        if not self.queue:
            self.queue = self.random.sample(self.white, len(self.white))
        return self.queue.pop()

    def next(self):
        chosen = [
            self.white_picture() if self.random.random() < WHITE_SHARE else self.random.randrange(len(self.entries))
            for _ in range(self.size)
        ]
        texts = []
        for index in chosen:
            concept, style, background = self.entries[index]
            texts.append(self.captions.caption(concept, STYLES[style], background, self.random))
        return self.tokens(texts), self.latents[chosen].to(self.device)


def draw_timesteps(count, device):
    """`[DRAWS, count]`, one of each part, more of the noisy ones."""
    part = torch.arange(DRAWS, device=device)[:, None]
    share = (part + torch.rand(DRAWS, count, device=device)) / DRAWS
    return (share**0.7 * STEPS).long().clamp(max=STEPS - 1)


def loss_of(model, tokens, latents, timesteps, noise):
    """The mean error of the noise, weighted as if the velocity were predicted, for `[DRAWS · captions]` noisy latents."""
    sigma = SIGMAS.to(latents.device)[timesteps][:, None, None, None]
    scale = (sigma**2 + 1).rsqrt()
    x = (latents.repeat(DRAWS, 1, 1, 1) + sigma * noise) * scale
    with torch.autocast(latents.device.type, torch.bfloat16):
        context = model.text(tokens).repeat(DRAWS, 1, 1)
        predicted = model.unet(x.contiguous(memory_format=torch.channels_last), timesteps, context)
    error = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
    return ((sigma.flatten() ** 2 + 1).clamp(max=LARGEST_WEIGHT) * error).mean()


class Probe:
    """Draws some concepts in between and counts how many of them are recognised."""

    def __init__(self, data, device):
        listed = concepts(data)
        self.cases = tests(listed, PROBED, seed=7)
        self.prompts = [test_caption(listed[concept], style) for concept, style, _ in self.cases]
        self.references = training_features(data)
        self.vae = Autoencoder().eval()
        self.vae.load_state_dict(torch.load(data / "vae.pt", map_location="cpu"))
        self.vae.to(device, memory_format=torch.channels_last)
        self.device = device

    @torch.no_grad()
    def run(self, model, tokens_of):
        pictures = []
        with torch.autocast(self.device, torch.bfloat16):
            negative = model.text(tokens_of([""]))
            for start in range(0, PROBED, 20):
                part = slice(start, start + 20)
                conditions = model.text(tokens_of(self.prompts[part]))
                noise = noises([seed for _, _, seed in self.cases[part]]).to(self.device)
                latents = sample(model.unet, conditions, negative.expand_as(conditions), noise, steps=12, scheduler="karras", sampler="dpmpp_2m")
                pictures.append(self.vae.decode(latents).float().cpu().clamp(-1, 1))
        pictures = torch.cat(pictures)
        rank = ranks(pictures, [concept for concept, _, _ in self.cases], self.references)
        return pictures, (rank == 0).float().mean().item(), (rank < 5).float().mean().item()


class State:
    """Everything that a run goes on from."""

    def __init__(self, model, average, optimizers, clock):
        self.parts = {"model": model, "average": average.model, "optimizers": optimizers}
        self.average = average
        self.clock = clock
        self.step = 0

    def save(self, path, vocabulary):
        states = {name: part.state_dict() for name, part in self.parts.items()}
        numbers = {"step": self.step, "spent": self.clock.spent, "updates": self.average.updates}
        part = path.with_suffix(".part")
        torch.save({**states, **numbers, "vocabulary": vocabulary.ids}, part)
        part.replace(path)

    def load(self, path):
        stored = torch.load(path, map_location="cpu")
        for name, part in self.parts.items():
            part.load_state_dict(stored[name])
        self.step, self.clock.spent, self.average.updates = stored["step"], stored["spent"], stored["updates"]


def is_muon(name):
    """Inner matrices; tables of rows and the first and last convolutions are left to AdamW."""
    return not any(part in name for part in ("embedding", "input_blocks.0.", "unet.out."))


def main(arguments):
    torch.manual_seed(1)
    data = Path(arguments.data)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    settle_threads(arguments.threads)
    batches = Batches(data, arguments.batch, device)
    model = Diffusion(len(batches.vocabulary)).to(device)
    model.unet.to(memory_format=torch.channels_last)
    optimizers = Optimizers(model, muon_lr=0.02, adam_lr=3e-3, is_muon=is_muon, weight_decay=0.01)
    average = Average(model, 0.998)
    clock = Clock(arguments.minutes)
    state = State(model, average, optimizers, clock)
    path = data / "unet.pt"
    if path.exists():
        state.load(path)
    probe = Probe(data, device)
    compute = torch.compile(loss_of) if arguments.compile else loss_of
    probed = saved = clock.spent
    with (data / "unet.csv").open("a", newline="") as losses, (data / "probe.csv").open("a", newline="") as probes:
        clock.pause()
        while (share := clock.share()) < 1:
            tokens, latents = batches.next()
            timesteps = draw_timesteps(len(latents), device).flatten()
            noise = torch.randn(len(timesteps), *latents.shape[1:], device=device)
            loss = compute(model, tokens, latents, timesteps, noise)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers.step(trapezoid(share, state.step))
            average.update(model)
            clock.tick()
            state.step += 1
            if state.step % 20 == 0:
                csv.writer(losses).writerow([state.step, f"{clock.spent / 60:.2f}", f"{loss.item():.4f}"])
                losses.flush()
                settle_threads(arguments.threads)
            if clock.spent - saved > 300 or clock.share() == 1:
                saved = clock.spent
                state.save(path, batches.vocabulary)
            if clock.spent - probed > arguments.probe * 60 or clock.share() == 1:
                probed = clock.spent
                pictures, nearest, among_five = probe.run(average.model, batches.tokens)
                csv.writer(probes).writerow([state.step, f"{clock.spent / 60:.2f}", f"{nearest:.3f}", f"{among_five:.3f}"])
                probes.flush()
                sheet(pictures, 10).save(data / "probe.png")
                clock.pause()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--probe", type=float, default=10, help="minutes between probes")
    parser.add_argument("--batch", type=int, default=64, help="captions at once")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="fuse operations, which takes some minutes first")
    main(parser.parse_args())
