"""ComfyScript: makes typed Python of the whole `/object_info`, runs a script as a graph, and turns a prompt back into a script."""
import sys, time

from comfy_script.runtime import load, Workflow, util

url, prompt, _ = sys.argv[1:]
load(url + "/")
# Its socket opens meanwhile, and it waits for ever for what was over before.
time.sleep(3)
from comfy_script.runtime import nodes
from comfy_script.runtime.nodes import (
    CheckpointLoaderSimple, CLIPTextEncode, EmptyImage, EmptyLatentImage, KSampler, VAEDecode,
)

# Choices are enumerations of their own.
assert "sd15_tiny" in str(list(nodes.Checkpoints)), list(nodes.Checkpoints)

with Workflow(wait=True):
    image = EmptyImage(16, 8)
    (picture,) = util.get_images(image, save=True)
    assert picture.size == (16, 8), picture.size

with Workflow(wait=True):
    model, clip, vae = CheckpointLoaderSimple("sd15_tiny.safetensors")
    positive, negative = CLIPTextEncode("a cat", clip), CLIPTextEncode("bad", clip)
    latent = KSampler(model, 3, 2, 7, "euler", "normal", positive, negative, EmptyLatentImage(64, 64, 1), 1)
    (picture,) = util.get_images(VAEDecode(latent, vae), save=True)
    assert picture.size == (64, 64), picture.size

from comfy_script.transpile import WorkflowToScriptTranspiler

with open(prompt) as file:
    text = WorkflowToScriptTranspiler(file.read()).to_script()
assert "KSampler(" in text and "SaveImage(" in text, text
print("ComfyScript works")
