"""comfy-cli: runs a prompt and a workflow as the page saves it, and tells of what is wrong. It sends the prompt as a form."""
import json, os, subprocess, sys
from urllib.parse import urlsplit

url, prompt, _, workflow = sys.argv[1:]
address = urlsplit(url)
COMFY = os.path.join(os.path.dirname(sys.executable), "comfy")


def run(file):
    command = [COMFY, "--skip-prompt", "--no-enable-telemetry", "run", "--workflow", file]
    command += ["--host", address.hostname, "--port", str(address.port), "--wait", "--timeout", "120"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    print(result.stdout)
    return result


for file in [prompt, workflow]:
    result = run(file)
    assert result.returncode == 0, f"{file}: exit code {result.returncode}"
    assert ".png" in result.stdout, file

with open(prompt) as file:
    wrong = json.load(file)
wrong["3"]["inputs"]["steps"] = 0
with open("wrong.json", "w") as file:
    json.dump(wrong, file)
result = run("wrong.json")
assert result.returncode != 0 and "steps" in result.stdout
print("comfy-cli works")
