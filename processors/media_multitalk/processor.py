"""media/multitalk@1: people in a picture speak, after one or two voices and a prompt. Needs an NVIDIA GPU."""

import importlib
import json
import os
import sys
import tempfile
import traceback

# The program may lie on a read-only root, and its folder is hashed as its identity: nothing is written beside it.
sys.dont_write_bytecode = True

from contract import download, read_job, report, upload  # noqa: E402
from failures import EXIT_FAILURE, Failure, bad_input  # noqa: E402
from request import FRAMES_PER_S, check_image, check_sizes, check_voices, read_params, voice_seconds  # noqa: E402

VOICES = ("voice_1", "voice_2")


def read_request(job, folder):
    """Params and inputs, downloaded and checked, as the model wants them."""
    params = read_params(job["params"])
    inputs = job["inputs"]
    for name in ("image", "voice_1"):
        if name not in inputs:
            raise bad_input(f'no input "{name}" was given', "ERR_INPUT_MISSING")
    check_sizes(inputs)
    paths = {name: os.path.join(folder, name) for name in sorted(inputs)}
    for name, path in paths.items():
        download(name, inputs[name], path)
    # Upstream tells files by their extension.
    image = f"{paths['image']}.{check_image(paths['image'])}"
    os.rename(paths["image"], image)
    voices = [paths[name] for name in VOICES if name in paths]
    seconds = [voice_seconds(name, paths[name]) for name in VOICES if name in paths]
    return {"params": params, "image": image, "voices": voices, "seconds": check_voices(seconds, params)}


def about(job, request, origin):
    """What the video was made of. Keys sorted and nothing of the time, so that the same job gives the same bytes."""
    facts = {
        "frames_per_s": FRAMES_PER_S,
        "input_cids": {name: source["cid"] for name, source in job["inputs"].items()},
        "model": origin,
        "params": request["params"],
        "seconds": round(request["seconds"], 3),
    }
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def make_video(model, request, folder):
    try:
        return model.generate(request, folder)
    except Failure:
        raise
    except Exception as error:
        # The model knows paths and no URLs, so what it says may be told.
        traceback.print_exc()
        message = f"the model failed: {type(error).__name__}: {error}"[:500]
        raise Failure(EXIT_FAILURE, "ERR_EXIT", message) from None


def run(job):
    with tempfile.TemporaryDirectory() as folder:
        request = read_request(job, folder)
        report("progress", fraction=0.02, message=f"{len(request['voices'])} voices, {request['seconds']:.2f} s")
        # Only now: loading it takes a while, and needs what most machines lack.
        model = importlib.import_module("model")
        origin = model.prepare()
        report("progress", fraction=0.05, message="a GPU is there; the model is being loaded")
        video = make_video(model, request, folder)
        report("progress", fraction=0.95, message="the video is made")
        upload("video.mp4", job["outputs"]["video.mp4"], video)
        facts = os.path.join(folder, "about.json")
        with open(facts, "w", encoding="utf-8") as file:
            file.write(about(job, request, origin))
        upload("about.json", job["outputs"]["about.json"], facts)
        report("progress", fraction=1, message="done")


def main():
    try:
        run(read_job())
    except Failure as failure:
        report("error", **failure.report)
        return failure.exit_code
    except Exception as defect:
        # The kind alone: a message could quote the job, and so a URL.
        report("error", code="ERR_EXIT", message=f"the processor failed: {type(defect).__name__}")
        return EXIT_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
