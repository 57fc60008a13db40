#!/usr/bin/env python3
"""Fetch ComfyUI's browser front end and workflow templates from PyPI, for the test that compares conversions with theirs.

    install.py [FOLDER]     (default: comfy-server/front-end in the user's cache folder)

Needs Python 3 with pip. The front end is GPL, and the templates are not ours: they are never part of this repository, and nothing of them
is built into the server. Folders that exist already are left alone, so running it again costs nothing.
"""
import os, shutil, subprocess, sys, tempfile, zipfile

# Folder, package and version, and what is kept of it. 1.27.10 and the templates 0.1.94 belong to ComfyUI 0.3.64, which the other recordings come
# from; the others are of late 2026.
PACKAGES = [
    ("front-end-1.27.10", "comfyui-frontend-package==1.27.10", "comfyui_frontend_package/static/", ""),
    ("front-end-1.58.1", "comfyui-frontend-package==1.58.1", "comfyui_frontend_package/static/", ""),
    ("templates-0.1.94", "comfyui-workflow-templates==0.1.94", "comfyui_workflow_templates/templates/", ".json"),
    ("templates-0.1.123", "comfyui-workflow-templates-json==0.1.123", "comfyui_workflow_templates_json/templates/", ".json"),
]


def cache_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "comfy-server", "front-end")


def fetch(package, folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder, package]
    subprocess.run(command, check=True)
    (wheel,) = [name for name in os.listdir(folder) if name.endswith(".whl")]
    return os.path.join(folder, wheel)


def unpack(wheel, start, end, target):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            # Source maps are larger than all the rest.
            if not name.startswith(start) or not name.endswith(end) or name.endswith((".map", "/")):
                continue
            path = os.path.join(target, os.path.normpath(name[len(start):]))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as copy:
                shutil.copyfileobj(source, copy)


def main(root):
    os.makedirs(root, exist_ok=True)
    for name, package, start, end in PACKAGES:
        target = os.path.join(root, name)
        if os.path.isdir(target):
            continue
        print("fetching", package, flush=True)
        with tempfile.TemporaryDirectory(dir=root) as work:
            part = os.path.join(work, "part")
            unpack(fetch(package, work), start, end, part)
            # Only a complete folder gets its name.
            os.rename(part, target)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(sys.argv[1] if len(sys.argv) == 2 else cache_folder())
