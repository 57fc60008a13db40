#!/usr/bin/env python3
"""Install the clients that the tests run against the server: from PyPI, npm and crates.io, at pinned versions.

    install.py [FOLDER]     (default: comfy-server/clients in the user's cache folder)

Needs Python 3 with pip and venv; npm for the clients in JavaScript; cargo for those in Rust. What is missing is left out and said; the tests
that need it say so too. None of it is part of this repository or of the server. A part that is there already in these versions is left alone.
"""
import os, shutil, subprocess, sys, venv

HERE = os.path.dirname(os.path.abspath(__file__))


def cache_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "comfy-server", "clients")


def is_current(folder, pins):
    """Whether the folder was completed with these pins: the copy is written last."""
    copy = os.path.join(folder, os.path.basename(pins))
    stamp = copy + ".installed"
    if not os.path.exists(stamp):
        return False
    with open(stamp, "rb") as installed, open(pins, "rb") as wanted:
        return installed.read() == wanted.read()


def complete(folder, pins):
    shutil.copyfile(pins, os.path.join(folder, os.path.basename(pins) + ".installed"))


def install_python(folder):
    pins = os.path.join(HERE, "requirements.txt")
    if is_current(folder, pins):
        return
    print("installing clients from PyPI", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    # pip from outside: Debian's Python has no ensurepip of its own.
    venv.create(folder, with_pip=False)
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run(command + ["-r", pins], check=True)
    complete(folder, pins)


def install_npm(folder):
    pins = os.path.join(HERE, "package-lock.json")
    if is_current(folder, pins):
        return
    if not shutil.which("npm"):
        print("npm is not here: the clients in JavaScript are left out", flush=True)
        return
    print("installing clients from npm", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in ["package.json", "package-lock.json"]:
        shutil.copyfile(os.path.join(HERE, name), os.path.join(folder, name))
    # Scripts of packages would run as the user, and none of these needs one.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    subprocess.run(command, cwd=folder, check=True)
    complete(folder, pins)


def install_rust(folder):
    if not shutil.which("cargo"):
        print("cargo is not here: the clients in Rust are left out", flush=True)
        return
    manifest = os.path.join(HERE, "rust", "Cargo.toml")
    # A target directory of its own: these dependencies' features must not mix with the server's.
    command = ["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", folder]
    subprocess.run(command, check=True)


def main(root):
    os.makedirs(root, exist_ok=True)
    install_python(os.path.join(root, "python"))
    install_npm(os.path.join(root, "npm"))
    install_rust(os.path.join(root, "rust"))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(sys.argv[1] if len(sys.argv) == 2 else cache_folder())
