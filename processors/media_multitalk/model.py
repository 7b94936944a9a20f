"""MultiTalk (https://github.com/MeiGen-AI/MultiTalk, Apache-2.0), loaded only when there is work for it.

Importing this module imports nothing but the standard library; `prepare` says whether this machine can do the work, and
`generate` does it. The Dockerfile puts the code and the weights where they are looked for.
"""

import importlib
import json
import os
import subprocess
import sys

from failures import EXIT_FAILURE, Failure, transient, unable

HOME = "/opt/multitalk"
WEIGHTS = HOME + "/weights"
SAMPLE_RATE = 16_000
GPU_BYTES_LEAST = 38 * 1024**3


def prepare():
    """Raises a Failure unless there are a GPU, the code and the weights. Returns what made the video, for the record."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise unable("media/multitalk needs an NVIDIA GPU and its own image: there is no PyTorch here") from None
    if not torch.cuda.is_available():
        raise unable("media/multitalk needs an NVIDIA GPU, and there is none here: run it on the adapter modal")
    memory = torch.cuda.get_device_properties(0).total_memory
    if memory < GPU_BYTES_LEAST:
        raise unable(f"the GPU has {memory / 1024**3:.0f} GiB of memory; 40 GB are needed, 80 GB are better")
    try:
        with open(HOME + "/origin.json", encoding="utf-8") as file:
            return json.load(file)
    except OSError:
        raise unable("this image holds no weights: see processors/media_multitalk/Dockerfile") from None


def _converted(source, target, *options):
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", source, *options, "-c:a", "pcm_s16le", target]
    subprocess.run(command, check=True)


def _resampled(source, target, samples):
    """Mono at 16 kHz. With `samples`, silence is added or the rest cut off: upstream adds voices up sample by sample."""
    to_rate = ("-ar", str(SAMPLE_RATE), "-ac", "1")
    if samples is None:
        _converted(source, target, *to_rate)
        return
    # Two steps: a filter counts samples at the rate of its input.
    stage = target + ".stage.wav"
    _converted(source, stage, *to_rate)
    _converted(stage, target, "-af", f"atrim=end_sample={samples},apad=whole_len={samples}")
    os.remove(stage)


def _meta_file(request, folder):
    params = request["params"]
    together = params["voices"] == "together"
    samples = round(request["seconds"] * SAMPLE_RATE) if together and len(request["voices"]) == 2 else None
    people = {}
    for number, voice in enumerate(request["voices"], start=1):
        people[f"person{number}"] = os.path.join(folder, f"person{number}.wav")
        _resampled(voice, people[f"person{number}"], samples)
    meta = {
        "prompt": params["prompt"],
        "cond_image": request["image"],
        "audio_type": "para" if together else "add",
        "cond_audio": people,
    }
    path = os.path.join(folder, "request.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(meta, file)
    return path


def _arguments(params, meta_file, folder):
    return [
        "generate_multitalk.py",
        *("--ckpt_dir", WEIGHTS + "/Wan2.1-I2V-14B-480P"),
        *("--wav2vec_dir", WEIGHTS + "/chinese-wav2vec2-base"),
        *("--input_json", meta_file),
        *("--audio_save_dir", folder),
        *("--save_file", os.path.join(folder, "video")),
        *("--size", "multitalk-480"),
        *("--mode", "clip" if params["length"] == "clip" else "streaming"),
        *("--sample_steps", str(params["steps"])),
        *("--base_seed", str(params["seed"])),
        *("--sample_text_guide_scale", str(params["text_guide"])),
        *("--sample_audio_guide_scale", str(params["audio_guide"])),
        *(["--use_teacache"] if params["teacache"] else []),
    ]


def generate(request, folder):
    """Makes the video and returns its path. `request` has params, image, voices and seconds; writes below `folder` only."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    sys.path.insert(0, HOME + "/code")
    torch = importlib.import_module("torch")
    upstream = importlib.import_module("generate_multitalk")
    sys.argv = _arguments(request["params"], _meta_file(request, folder), folder)
    try:
        upstream.generate(upstream._parse_args())
    except torch.cuda.OutOfMemoryError:
        raise Failure(EXIT_FAILURE, "ERR_EXIT", "the GPU ran out of memory", retryable=False) from None
    except RuntimeError as error:
        # The device or its driver failed, not the work: another machine may do it.
        if "CUDA error" in str(error):
            raise transient(f"the GPU failed: {str(error).splitlines()[0][:300]}", "ERR_EXIT") from None
        raise
    return os.path.join(folder, "video.mp4")
