"""comfyui-utils: asserts that every frame is text, compares the prompts of the history with its own, and finds cached results there."""
import asyncio, json, sys

from comfyui_utils import comfy

url, prompt, _ = sys.argv[1:]


class Callbacks(comfy.Callbacks):
    def __init__(self):
        self.positions, self.steps, self.outputs, self.cached = [], [], None, None

    async def queue_position(self, position):
        self.positions.append(position)

    async def in_progress(self, node_id, progress, total):
        self.steps.append((node_id, progress, total))

    async def completed(self, outputs, cached):
        self.outputs, self.cached = outputs, cached


async def main():
    api = comfy.ComfyAPI(url.removeprefix("http://"))
    with open(prompt) as file:
        workflow = json.load(file)
    workflow["3"]["inputs"]["steps"] = 30
    first = Callbacks()
    await api.submit(workflow, first)
    assert not first.cached and first.positions and any(total == 30 for _, _, total in first.steps), vars(first)
    (image,) = first.outputs["images"]
    pieces = []

    async def keep(data):
        pieces.append(data.read())

    await api.fetch(image, keep)
    assert pieces[0].startswith(b"\x89PNG")
    # The same again is cached; it may be over before the socket opens, and is then found in the history.
    again = Callbacks()
    await api.submit(workflow, again)
    assert again.outputs is not None
    workflow["3"]["inputs"]["steps"] = 0
    try:
        await api.submit(workflow, Callbacks())
    except ValueError as error:
        assert "Node 3" in str(error), error
    else:
        raise AssertionError("a wrong prompt was accepted")


asyncio.run(asyncio.wait_for(main(), 240))
print("comfyui-utils works")
