"""comfy-sdk through comfy-api-proxy: ids of the proxy's choice, cancellation, server-sent events, uploads, byte ranges."""
import json, os, signal, socket, subprocess, sys, time

url, prompt, picture = sys.argv[1:]
# Ends with an exception, so that the proxy ends too.
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.alarm(240)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
proxy = subprocess.Popen(
    [os.path.join(os.path.dirname(sys.executable), "comfy-api-proxy"), "--comfyui", url, "--port", str(port), "--state-dir", os.path.abspath("state")]
)
os.environ["COMFY_BASE_URL"] = f"http://127.0.0.1:{port}"

from comfy_sdk import Comfy, JobFailed
from comfy_sdk.events import OutputReady, Progress, StatusChange


def wait_for_proxy():
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert proxy.poll() is None, "the proxy ended"
            time.sleep(0.1)
    sys.exit("the proxy does not start")


def main():
    wait_for_proxy()
    client = Comfy()
    with open(prompt) as file:
        graph = json.load(file)

    # Run to the end, whole and in part.
    job = client.run(client.workflows.from_json(graph), timeout=120)
    (output,) = job.get_outputs("9")
    data = output.to_bytes()
    assert data.startswith(b"\x89PNG")
    assert output.to_bytes(range=(1, 3)) == data[1:4]

    # The same by its events.
    graph["3"]["inputs"].update(seed=9, steps=20)
    job = client.submit(client.workflows.from_json(graph))
    seen = []
    for event in job.events():
        seen.append(event)
        if isinstance(event, StatusChange) and event.status in ("succeeded", "failed", "canceled", "expired"):
            break
    assert seen[-1].status == "succeeded", seen[-1]
    assert any(isinstance(event, Progress) for event in seen) and any(isinstance(event, OutputReady) for event in seen), seen
    assert job.result().status == "succeeded"

    # An uploaded picture as an input.
    asset = client.assets.from_file(picture)
    copy = client.workflows.from_json({
        "1": {"class_type": "LoadImage", "inputs": {"image": "nothing.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "sdk"}},
    })
    copy.set_input("1", "image", asset)
    job = client.submit(copy)
    # The proxy asks for the history and then for the queue: it takes a job that ends between the two for one that expired.
    time.sleep(2)
    assert len(job.result().outputs) == 1

    # Jobs that run and jobs that wait are cancelled, each alone.
    graph["3"]["inputs"].update(seed=10, steps=5000)
    running = client.submit(client.workflows.from_json(graph))
    graph["3"]["inputs"].update(seed=11)
    waiting = client.submit(client.workflows.from_json(graph))
    while running.refresh().status != "running":
        time.sleep(0.05)
    waiting.cancel()
    running.cancel()
    # Of a job that never ran, ComfyUI keeps nothing.
    for job, end in [(waiting, "expired"), (running, "canceled")]:
        while job.refresh().status in ("queued", "running", "canceling"):
            time.sleep(0.05)
        assert job.status == end, (job.status, end)

    # A prompt that fails while it runs.
    broken = client.workflows.from_json({
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "../../outside"}},
    })
    job = client.submit(broken)
    time.sleep(2)
    try:
        job.result()
    except JobFailed:
        pass
    else:
        sys.exit("a failing job succeeded")


try:
    main()
finally:
    proxy.terminate()
    proxy.wait(20)
print("comfy-sdk works")
