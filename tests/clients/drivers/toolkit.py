"""comfy-toolkit: reads `/history` the moment that the socket tells of the end, and edits graphs before it sends them."""
import sys

from comfy_toolkit import ComfyClient, customize

url, prompt, _ = sys.argv[1:]
client = ComfyClient(url)
assert client.is_online() and client.system_stats()["system"]["comfyui_version"]
assert client.vram_stats()["vram_total"] > 0, client.vram_stats()

workflow = customize(client.load_workflow(prompt), positive="a dog", negative="bad")
steps = []
result = client.submit_and_track(workflow, on_progress=lambda value, maximum: steps.append((value, maximum)))
assert result["filenames"], result
assert steps and steps[-1][0] == steps[-1][1], steps

workflow["3"]["inputs"]["seed"] = 77
images = client.wait_for_images(client.submit(workflow))
assert len(images) == 1 and client.download(images[0]).startswith(b"\x89PNG")
assert client.save(images[0], "picture.png")
assert set(client.queue_status()) == {"running", "pending"}
client.interrupt()

workflow["3"]["inputs"]["cfg"] = "much"
try:
    client.submit(workflow)
except Exception as error:
    assert "cfg" in str(error) or "400" in str(error), error
else:
    sys.exit("a wrong prompt was accepted")
print("comfy-toolkit works")
