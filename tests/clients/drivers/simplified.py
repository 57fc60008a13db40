"""comfy_api_simplified: opens its socket after the prompt was sent, and takes a `status` with an empty queue for the end."""
import sys

from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper

url, prompt, picture = sys.argv[1:]
api = ComfyApiWrapper(url)
assert api.get_system_stats()["devices"]
assert "embedding" not in api.get_embeddings()
assert len(api.get_object_info()) > 50
assert list(api.get_object_info("KSampler")) == ["KSampler"]

uploaded = api.upload_image(picture, subfolder="from_simplified")
assert uploaded["name"] and uploaded["subfolder"] == "from_simplified", uploaded

workflow = ComfyWorkflowWrapper(prompt)
for seed in range(3):
    workflow.set_node_param("KSampler", "seed", seed)
    results = api.queue_and_wait_images(workflow, "Save Image")
    assert len(results) == 1, results
    assert all(data.startswith(b"\x89PNG") for data in results.values())

workflow.set_node_param("KSampler", "steps", 2000)
ids = []
for seed in range(2):
    workflow.set_node_param("KSampler", "seed", 100 + seed)
    ids.append(api.queue_prompt(workflow)["prompt_id"])
assert api.get_queue_size_before(ids[1]) >= 1
assert {"queue_running", "queue_pending"} <= set(api.get_queue())
while api.get_queue()["queue_running"] or api.get_queue()["queue_pending"]:
    api.interrupt()
assert set(ids) <= set(api.get_history(ids[0]) | api.get_history(ids[1]))

workflow.set_node_param("KSampler", "steps", 0)
try:
    api.queue_prompt(workflow)
except Exception as error:
    assert "400" in str(error), error
else:
    sys.exit("a wrong prompt was accepted")
print("comfy_api_simplified works")
