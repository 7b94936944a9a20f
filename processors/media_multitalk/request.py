"""What is asked of the model: params and inputs, checked before a GPU is touched. Pure but for reading two files."""

import wave

from failures import bad_input

FRAMES_PER_S = 25
# The model works in clips of 81 frames; upstream stops after 1000.
CLIP_FRAMES = 81
FRAMES_MAX = 1000
IMAGE_BYTES_MAX = 32 * 1024 * 1024
VOICE_BYTES_MAX = 64 * 1024 * 1024


def _number(params, name, default, least, most, kinds=(int,)):
    value = params.get(name, default)
    if isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most:
        return value
    what = "whole number" if kinds == (int,) else "number"
    raise bad_input(f"params.{name} is no {what} from {least} to {most}", "ERR_PARAMS")


def _choice(params, name, default, choices):
    value = params.get(name, default)
    if value in choices:
        return value
    raise bad_input(f"params.{name} is none of {', '.join(map(str, choices))}", "ERR_PARAMS")


def read_params(params):
    prompt = params.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise bad_input("params.prompt says nothing", "ERR_PARAMS")
    return {
        "prompt": prompt,
        "voices": _choice(params, "voices", "together", ("together", "in_turn")),
        "length": _choice(params, "length", "whole", ("whole", "clip")),
        "steps": _number(params, "steps", 40, 4, 100),
        "seed": _number(params, "seed", 42, 0, 99_999_999),
        "text_guide": _number(params, "text_guide", 5.0, 1, 10, (int, float)),
        "audio_guide": _number(params, "audio_guide", 4.0, 1, 10, (int, float)),
        "teacache": _choice(params, "teacache", True, (True, False)),
    }


def check_sizes(inputs):
    for name, source in sorted(inputs.items()):
        most = IMAGE_BYTES_MAX if name == "image" else VOICE_BYTES_MAX
        if source["size"] > most:
            message = f'input "{name}" has {source["size"]} bytes; at most {most} are allowed'
            raise bad_input(message, "ERR_TOO_LARGE")


def check_image(path):
    """The kind of picture by its first bytes; the model decodes it."""
    with open(path, "rb") as file:
        head = file.read(16)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    raise bad_input('input "image" is neither a PNG nor a JPEG')


def voice_seconds(name, path):
    """How long a voice is, by its header."""
    try:
        with wave.open(path, "rb") as voice:
            rate, frames = voice.getframerate(), voice.getnframes()
            read = len(voice.readframes(frames)) // (voice.getnchannels() * voice.getsampwidth())
    except (wave.Error, EOFError, ValueError, ZeroDivisionError) as wrong:
        raise bad_input(f'input "{name}" is no WAV of PCM: {wrong}') from None
    if rate <= 0 or read < frames:
        raise bad_input(f'input "{name}" is cut short: {read} of {frames} frames')
    return frames / rate


def check_voices(seconds, params):
    """The length of the video in seconds: of the longest voice, or of all when they speak in turn."""
    total = sum(seconds) if params["voices"] == "in_turn" else max(seconds)
    frames = int(total * FRAMES_PER_S)
    if frames <= CLIP_FRAMES:
        least = (CLIP_FRAMES + 1) / FRAMES_PER_S
        raise bad_input(f"the voices last {total:.2f} s; the model needs at least {least:.2f} s")
    if params["length"] == "whole" and frames > FRAMES_MAX:
        raise bad_input(f"the voices last {total:.2f} s; at most {FRAMES_MAX / FRAMES_PER_S:.0f} s are possible")
    return total
