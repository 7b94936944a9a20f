"""Run while the image is built: fetches the weights at the given commits and writes down where all came from."""

import json
import os
import re
import shutil
import sys

CODE = "MeiGen-AI/MultiTalk@c1ad84009b99ed36c97ab18e4517ca5f98692438"
REPOSITORIES = (
    "Wan-AI/Wan2.1-I2V-14B-480P",
    "MeiGen-AI/MeiGen-MultiTalk",
    "TencentGameMate/chinese-wav2vec2-base",
)


def main(home, *revisions):
    for repository, revision in zip(REPOSITORIES, revisions):
        if not re.fullmatch("[0-9a-f]{40}", revision):
            sys.exit(f"no commit of {repository} was given as a build argument: see the head of the Dockerfile")
    from huggingface_hub import snapshot_download

    folders = {}
    for repository, revision in zip(REPOSITORIES, revisions):
        folders[repository] = os.path.join(home, "weights", repository.split("/")[1])
        snapshot_download(repository, revision=revision, local_dir=folders[repository])
        shutil.rmtree(os.path.join(folders[repository], ".cache"), ignore_errors=True)
    # As upstream's README says: the index of MultiTalk in the place of the one of the base model.
    base, added = folders[REPOSITORIES[0]], folders[REPOSITORIES[1]]
    for name in ("diffusion_pytorch_model.safetensors.index.json", "multitalk.safetensors"):
        os.replace(os.path.join(added, name), os.path.join(base, name))
    origin = {"code": CODE, "weights": dict(zip(REPOSITORIES, revisions))}
    with open(os.path.join(home, "origin.json"), "w", encoding="utf-8") as file:
        json.dump(origin, file, sort_keys=True)


if __name__ == "__main__":
    main(*sys.argv[1:5])
