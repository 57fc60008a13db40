"""pycomfy: its own text-to-image template, and a workflow from a file; it ignores binary frames and waits for `executed`."""
import sys

from pycomfy import ComfyAPI

url, prompt, _ = sys.argv[1:]
with ComfyAPI(url) as api:
    (image,) = api.text_to_image("a cat", checkpoint_name="sd15_tiny.safetensors", steps=2, width=64, height=64, seed=5)
    assert image.size == (64, 64) and "prompt" in image.info, image.info
    workflow = api.load_workflow(prompt)
    workflow.set_node(workflow.get_nodes_by_class("KSampler")[0], {"seed": 6})
    (image,) = workflow.execute()
    assert image.size == (64, 64)
print("pycomfy works")
