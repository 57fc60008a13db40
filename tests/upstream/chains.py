#!/usr/bin/env python3
"""Chains of picture, mask, latent and text nodes with odd sizes and odd values, in a running ComfyUI and in our server.

    chains.py inputs FOLDER…                    writes the input files into the input folders of both servers
    chains.py compare COMFYUI OURS [--rounds N] [--seed S] [--only CLASS…]
                                                runs random chains in both and prints what differs
    chains.py record COMFYUI FOLDER [--count N] [--seed S]
                                                writes chains that succeed, and their results, as crates/comfy-session/tests/chains.rs reads them

COMFYUI and OURS are addresses such as http://127.0.0.1:8188. Needs numpy, Pillow and safetensors. Each chain has one class as its
focus; what goes into it comes from loaders and other nodes at random, and every output is saved. Pictures may differ by a level
(two where Lanczos or a palette is in the chain), latents by 1e-5 of the largest value. Where ComfyUI fails and we do not, that is
counted and not printed: several nodes here take what ComfyUI's cannot.
"""
import argparse, collections, io, json, os, random, time, urllib.error, urllib.parse, urllib.request
import numpy as np
from PIL import Image
from safetensors.numpy import load, save_file

PICTURES = ["dot.png", "n7x13.png", "line513.png", "tall.png", "s64x48.png", "s33x65.png", "shapes.png", "n31.png", "rgba21x17.png",
            "rgba40.png", "grey.png", "grey_alpha.png", "three.gif", "three.webp", "glass.png", "rough.jpg", "n20x14.png"]
LATENTS = {"a": (1, 4, 8, 8), "b": (2, 4, 5, 7), "c": (3, 4, 8, 8), "d": (1, 16, 6, 9), "old": (1, 4, 9, 4), "one": (1, 4, 1, 1),
           "wide": (1, 4, 3, 33), "big": (1, 4, 24, 20)}
# Loaded by other means, random by design, or without a result to compare.
LEFT_OUT = {"SaveImageWebsocket", "WebcamCapture", "SaveSVGNode", "LoadImageOutput", "PreviewAny", "PreviewImage", "MaskPreview", "SaveImage",
            "SaveLatent", "VAELoader", "EmptyChromaRadianceLatentImage", "SaveAnimatedWEBP", "SaveAnimatedPNG"}
# Results of a recorded chain together, in bytes.
LARGEST = 12000
FAMILIES = ("image", "mask", "latent", "utils", "_for_testing")


def write_inputs(folders):
    generator = np.random.default_rng(1)
    noise = lambda h, w, c: generator.integers(0, 256, (h, w, c), dtype=np.uint8)

    def smooth(h, w, c):
        y, x = np.mgrid[0:h, 0:w]
        return np.stack([127.5 + 127.5 * np.sin(x * (.11 + .03 * k) + y * (.07 + .05 * k) + k) for k in range(c)], -1).astype(np.uint8)

    shapes = np.zeros((40, 56, 3), np.uint8)
    shapes[:] = (20, 60, 120); shapes[10:20, 11:28] = (250, 240, 10); shapes[20:, 28:] = (200, 0, 90); shapes[:, 42:44] = 255
    pictures = {"dot.png": noise(1, 1, 3), "n7x13.png": noise(13, 7, 3), "line513.png": smooth(3, 513, 3), "tall.png": noise(37, 2, 3),
                "s64x48.png": smooth(48, 64, 3), "s33x65.png": smooth(65, 33, 3), "shapes.png": shapes, "n31.png": noise(31, 31, 3),
                "rgba21x17.png": noise(17, 21, 4), "rgba40.png": smooth(40, 40, 4), "grey.png": smooth(20, 30, 1)[..., 0],
                "grey_alpha.png": noise(9, 11, 2), "n20x14.png": noise(14, 20, 3)}
    three = [Image.fromarray(noise(12, 15, 3)) for _ in range(3)]
    glass = [Image.fromarray(noise(10, 16, 4)) for _ in range(2)]
    latents = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in LATENTS.items()}
    rough = Image.fromarray(noise(29, 33, 3))
    for folder in folders:
        for name, values in pictures.items():
            Image.fromarray(values).save(os.path.join(folder, name))
        three[0].save(os.path.join(folder, "three.gif"), save_all=True, append_images=three[1:])
        three[0].save(os.path.join(folder, "three.webp"), save_all=True, append_images=three[1:], lossless=True)
        glass[0].save(os.path.join(folder, "glass.png"), save_all=True, append_images=glass[1:], blend=1)
        rough.save(os.path.join(folder, "rough.jpg"), quality=70, subsampling=2)
        for name, values in latents.items():
            marks = {} if name == "old" else {"latent_format_version_0": np.zeros((0,), np.float32)}
            save_file({"latent_tensor": values, **marks}, os.path.join(folder, name + ".latent"))


class Chain:
    """A prompt that grows node by node."""

    def __init__(self, classes, seed):
        self.classes, self.prompt, self.random = classes, {}, random.Random(seed)

    def add(self, class_type, **inputs):
        name = str(len(self.prompt) + 1)
        self.prompt[name] = {"class_type": class_type, "inputs": inputs}
        return name

    def pick(self, *values):
        return self.random.choice(values)

    def image(self, depth=0):
        way = self.random.random()
        if depth < 2:
            if way < .08: return [self.add("ImageBatch", image1=self.image(depth + 1), image2=self.image(depth + 1)), 0]
            if way < .14: return [self.add("JoinImageWithAlpha", image=self.image(depth + 1), alpha=self.mask(depth + 1)), 0]
            if way < .20: return [self.add("RepeatImageBatch", image=self.image(depth + 1), amount=self.pick(1, 2, 3)), 0]
            if way < .24: return [self.add("MaskToImage", mask=self.mask(depth + 1)), 0]
            if way < .30:
                return [self.add("ImageScale", image=self.image(depth + 1), upscale_method=self.pick("bicubic", "bilinear", "area", "lanczos"),
                                 width=self.pick(5, 24, 41), height=self.pick(6, 23, 40), crop=self.pick("disabled", "center")), 0]
        if way < .34:
            return [self.add("EmptyImage", width=self.pick(1, 5, 16, 40), height=self.pick(1, 9, 16, 33), batch_size=self.pick(1, 2),
                             color=self.random.randrange(1 << 24)), 0]
        return [self.add("LoadImage", image=self.pick(*PICTURES)), 0]

    def mask(self, depth=0):
        way = self.random.random()
        if way < .2: return [self.add("LoadImage", image=self.pick(*PICTURES)), 1]
        if way < .5: return [self.add("LoadImageMask", image=self.pick(*PICTURES), channel=self.pick("alpha", "red", "green", "blue")), 0]
        if way < .6: return [self.add("SolidMask", value=self.pick(0.0, 0.3, 1.0), width=self.pick(1, 9, 31, 64), height=self.pick(1, 14, 31, 48)), 0]
        if depth < 2: return [self.add("ImageToMask", image=self.image(depth + 1), channel=self.pick("red", "green", "blue")), 0]
        return [self.add("LoadImageMask", image="shapes.png", channel="red"), 0]

    def latent(self, depth=0):
        way = self.random.random()
        if way < .7 or depth > 1: latent = [self.add("LoadLatent", latent=self.pick(*LATENTS) + ".latent"), 0]
        elif way < .8: latent = [self.add("RepeatLatentBatch", samples=self.latent(depth + 1), amount=self.pick(1, 2, 3)), 0]
        elif way < .9: latent = [self.add("LatentBatch", samples1=self.latent(depth + 1), samples2=self.latent(depth + 1)), 0]
        else: latent = [self.add("VAEEncode", pixels=self.image(depth + 1), vae=self.autoencoder()), 0]
        if depth < 2 and self.random.random() < .15: latent = [self.add("SetLatentNoiseMask", samples=latent, mask=self.mask(depth + 1)), 0]
        return latent

    def autoencoder(self):
        return [self.add("VAELoader", vae_name="pixel_space"), 0]

    def operation(self):
        if self.random.random() < .5: return [self.add("LatentOperationTonemapReinhard", multiplier=self.pick(0.0, .5, 1.0, 5.0)), 0]
        return [self.add("LatentOperationSharpen", sharpen_radius=self.pick(1, 2, 3, 9), sigma=self.pick(.1, .7, 1.0, 3.0), alpha=self.pick(0.0, .1, 2.0)), 0]

    def text(self, class_type, name):
        if name == "regex_pattern":
            return self.pick("a+", "(a)(b)?", r"\w+", r"(\w)\1", "^.", ".$", "[^a]", "(?P<x>b)", "(", "", "a|b", r"\d", "(?i)AB", r"\b", "[a-zé]+", "(?<=a)b", r"\s*")
        if name == "replace" and class_type.startswith("Regex"): return self.pick("", "x", r"\1", r"[\g<0>]", r"\\", r"\g<x>", r"\n")
        if name in ("find", "substring", "delimiter"): return self.pick("", "a", "b", "ab", "\n", " ", "é", "B")
        return "".join(self.random.choices("a b B é ß İ ﬁ \n \t 0 _ - 日 😀 ǆ ' . Σ ς".split(" ") + [" ", "ab"], k=self.pick(0, 1, 3, 8, 20)))

    def number(self, class_type, name, low, high, default):
        cells = 8 if "Latent" in class_type else 1
        if name in ("width", "height", "target_width", "target_height", "largest_size"): value = self.pick(0, 1, 2, 7, 8, 13, 16, 24, 33, 64, 65, 100) * cells
        elif name in ("x", "y", "left", "top", "right", "bottom", "feather", "feathering", "spacing_width", "grow_mask_by", "expand", "index", "start", "end"):
            value = self.pick(0, 0, 1, 2, 3, 5, 8, 9, 16, 17, 24, 40, 100, -1, -3, -7)
        elif name in ("batch_size", "amount", "length"): value = self.pick(1, 1, 2, 3, 5)
        elif name == "batch_index": value = self.pick(0, 0, 1, 2, 5)
        elif name == "kernel_size": value = self.pick(3, 4, 5, 7, 11, 20)
        elif name in ("blur_radius", "sharpen_radius"): value = self.pick(1, 1, 2, 3, 5, 9, 31)
        elif name == "colors": value = self.pick(1, 2, 3, 5, 16, 100, 256)
        elif name == "seed": value = self.pick(0, 1, 42, 2**63, 2**64 - 1)
        elif name == "color": value = self.random.randrange(1 << 24)
        elif name == "value": value = self.pick(0, 1, -5, 2**53, -(2**62))
        elif name == "compression": value = self.pick(4, 32, 42, 128)
        else: value = self.pick(0, 1, 2, 5)
        return max(low, min(high, value))

    def fraction(self, name, low, high, default):
        if name == "scale_by": return self.pick(.01, .1, .33, .5, 1.0, 1.37, 2.0, 3.3)
        if name == "megapixels": return self.pick(.01, .02, .05)
        low, high = max(low, -100), min(high, 100)
        return self.pick(low, high, default, round(low + (high - low) * self.random.random(), 3))

    def value(self, class_type, name, declared):
        kind, options = declared[0], declared[1] if len(declared) > 1 else {}
        choices = kind if isinstance(kind, list) else options.get("options", [])
        if name == "latent": return self.pick(*LATENTS) + ".latent"
        if isinstance(kind, list) or kind == "COMBO": return self.pick(*PICTURES) if name == "image" else self.pick(*choices)
        if kind == "STRING": return self.text(class_type, name)
        if kind == "BOOLEAN": return self.random.random() < .5
        low, high = (options.get(key) if options.get(key) is not None else other for key, other in (("min", -20), ("max", 20)))
        if kind == "INT": return self.number(class_type, name, low, high, options.get("default"))
        if kind == "FLOAT": return self.fraction(name, low, high, options.get("default") or 0.0)
        return {"IMAGE": self.image, "MASK": self.mask, "LATENT": self.latent, "VAE": self.autoencoder, "LATENT_OPERATION": self.operation}[kind]()

    def save(self, link, kind):
        if kind == "IMAGE": self.add("SaveImage", images=link, filename_prefix="chain")
        elif kind == "MASK": self.add("SaveImage", images=[self.add("MaskToImage", mask=link), 0], filename_prefix="chain")
        elif kind == "LATENT": self.add("SaveLatent", samples=link, filename_prefix="chain")
        elif kind == "LATENT_OPERATION": self.save([self.add("LatentApplyOperation", samples=self.latent(), operation=link), 0], "LATENT")
        else: self.add("PreviewAny", source=link)

    def focus(self, class_type):
        declared = self.classes[class_type]
        inputs = {}
        for section in ("required", "optional"):
            for name, declaration in declared["input"].get(section, {}).items():
                if section == "required" or self.random.random() > .3:
                    inputs[name] = self.value(class_type, name, declaration)
        node = self.add(class_type, **inputs)
        for slot, kind in enumerate(declared["output"]):
            self.save([node, slot], kind)
        return self.prompt


def get(server, path):
    return urllib.request.urlopen(server + path).read()


def run(server, prompt):
    """What became of a prompt, and its outputs or the error's text."""
    request = urllib.request.Request(server + "/prompt", json.dumps({"prompt": prompt}).encode(), {"Content-Type": "application/json"})
    try:
        answer = json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        answer = json.load(error)
    if "prompt_id" not in answer or answer.get("node_errors"):
        errors = sorted((node, one["type"]) for node, found in (answer.get("node_errors") or {}).items() for one in found["errors"])
        return ("invalid", errors), None
    for _ in range(6000):
        entry = json.loads(get(server, "/history/" + answer["prompt_id"])).get(answer["prompt_id"])
        if entry:
            break
        time.sleep(.02)
    if entry["status"]["status_str"] == "success":
        return ("success",), entry["outputs"]
    error = next(body for kind, body in entry["status"]["messages"] if kind == "execution_error")
    return ("error", error["node_type"]), error["exception_type"] + ": " + error["exception_message"]


def file_of(server, item):
    return get(server, "/view?" + urllib.parse.urlencode({key: item[key] for key in ("filename", "subfolder", "type")}))


def values_of(name, content):
    return load(content)["latent_tensor"] if name.endswith(".latent") else np.asarray(Image.open(io.BytesIO(content)))


def unlike(left, right, levels):
    """How two results differ, if they do more than they may."""
    if left.shape != right.shape: return f"shapes {left.shape} and {right.shape}"
    if not left.size: return None
    if left.dtype == np.uint8:
        most = int(np.abs(left.astype(int) - right).max())
        return f"{most} levels" if most > levels else None
    if (np.isnan(left) != np.isnan(right)).any(): return "values that are no numbers"
    most, largest = np.nanmax(np.abs(left.astype(float) - right)), np.nanmax(np.abs(left))
    return f"{most} of {largest}" if most > 1e-5 * max(largest, 1e-6) else None


def levels_of(prompt):
    return 2 if "lanczos" in json.dumps(prompt) or any(node["class_type"] == "ImageQuantize" for node in prompt.values()) else 1


def differences(servers, outputs, levels):
    found = []
    for node in sorted(set(outputs[0]) | set(outputs[1]), key=int):
        left, right = (output.get(node, {}) for output in outputs)
        for key in sorted(set(left) | set(right)):
            a, b = left.get(key, []), right.get(key, [])
            if key not in ("images", "latents"):
                found += [f"{node}.{key}: {a} and {b}"] if a != b else []
            elif len(a) != len(b):
                found.append(f"{node}.{key}: {len(a)} and {len(b)}")
            else:
                for index, items in enumerate(zip(a, b)):
                    difference = unlike(*(values_of(item["filename"], file_of(server, item)) for server, item in zip(servers, items)), levels)
                    found += [f"{node}.{key}.{index}: {difference}"] if difference else []
    return found


def classes_of(server, only=None):
    classes = json.loads(get(server, "/object_info"))
    names = [name for name, entry in classes.items() if name not in LEFT_OUT and entry["category"].split("/")[0] in FAMILIES]
    return classes, [name for name in names if not only or name in only]


def compare(arguments):
    servers = (arguments.comfyui, arguments.ours)
    classes, names = classes_of(arguments.ours, arguments.only)
    counts = collections.Counter()
    for round_ in range(arguments.rounds):
        for name in names:
            seed = f"{arguments.seed}.{round_}.{name}"
            prompt = Chain(classes, seed).focus(name)
            (left, detail), (right, other) = (run(server, prompt) for server in servers)
            if left == right == ("success",):
                found = differences(servers, (detail, other), levels_of(prompt))
                counts["different" if found else "same"] += 1
            elif left[0] == "error" and right == ("success",):
                found = []
                counts["only ComfyUI fails"] += 1
            else:
                found = [f"{left} {detail}", f"{right} {other}"] if left != right else []
                counts["different outcome" if found else "both fail"] += 1
            if found:
                print(seed, *found, json.dumps(prompt, ensure_ascii=False), sep="\n    ", flush=True)
    print(dict(counts))


def record(arguments):
    classes, names = classes_of(arguments.comfyui)
    ours = set(json.load(open(arguments.classes))) if arguments.classes else set(names)
    names = [name for name in names if name in ours]
    os.makedirs(os.path.join(arguments.folder, "input"), exist_ok=True)
    write_inputs([os.path.join(arguments.folder, "input")])
    chains, attempt = [], 0
    while len(chains) < arguments.count and attempt < 10 * arguments.count:
        name = names[attempt % len(names)]
        prompt = Chain(classes, f"{arguments.seed}.{attempt}").focus(name)
        attempt += 1
        outcome, outputs = run(arguments.comfyui, prompt)
        if outcome != ("success",) or len(prompt) < 4:
            continue
        items = [item for output in outputs.values() for key in ("images", "latents") for item in output.get(key, [])]
        if sum(len(file_of(arguments.comfyui, item)) for item in items) > LARGEST:
            continue
        results = {}
        for node, output in outputs.items():
            for key, items in output.items():
                results[node] = items if key == "text" else [f"{len(chains):03}.{node}.{index}{os.path.splitext(item['filename'])[1]}" for index, item in enumerate(items)] if key in ("images", "latents") else None
                if key in ("images", "latents"):
                    contents = [file_of(arguments.comfyui, item) for item in items]
                    for file, content in zip(results[node], contents):
                        if file.endswith(".png"):
                            picture = io.BytesIO()
                            Image.fromarray(values_of(file, content)).save(picture, "PNG", optimize=True)
                            content = picture.getvalue()
                        else:
                            save_file({"latent_tensor": load(content)["latent_tensor"]}, os.path.join(arguments.folder, file))
                            continue
                        with open(os.path.join(arguments.folder, file), "wb") as file:
                            file.write(content)
        chains.append({"focus": name, "levels": levels_of(prompt), "prompt": prompt, "results": results})
    with open(os.path.join(arguments.folder, "chains.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(chain, ensure_ascii=False) for chain in chains) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("inputs"); command.add_argument("folders", nargs="+")
    command.set_defaults(run=lambda arguments: write_inputs(arguments.folders))
    command = commands.add_parser("compare"); command.add_argument("comfyui"); command.add_argument("ours")
    command.add_argument("--rounds", type=int, default=3); command.add_argument("--seed", default="0"); command.add_argument("--only", nargs="*")
    command.set_defaults(run=compare)
    command = commands.add_parser("record"); command.add_argument("comfyui"); command.add_argument("folder")
    command.add_argument("--count", type=int, default=64); command.add_argument("--seed", default="1"); command.add_argument("--classes", help="a saved /object_info of ours: only its classes")
    command.set_defaults(run=record)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
