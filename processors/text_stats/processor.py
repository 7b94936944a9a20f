"""text/stats@1: what a text is made of - lines, words, characters, frequent words, a hash.

Python 3.9 or later and its standard library; written from docs/processor-contract.md alone.
"""

import collections
import hashlib
import http.client
import json
import re
import sys
import time
import unicodedata
import urllib.error
import urllib.request

EXIT_FAILURE = 1
EXIT_BAD_INPUT = 65
EXIT_TRANSIENT = 75

TRIES = 3
BACKOFF_S = 0.2
SOCKET_TIMEOUT_S = 30
# The text is in memory several times at once.
TEXT_BYTES_MAX = 32 * 1024 * 1024
APOSTROPHES = "'\u2019"


class Failure(Exception):
    """Ends the execution with an exit code and an error report."""

    def __init__(self, exit_code, code, message, retryable=None):
        super().__init__(message)
        self.exit_code = exit_code
        self.report = {"code": code, "message": message}
        if retryable is not None:
            self.report["retryable"] = retryable


def bad_input(code, message):
    return Failure(EXIT_BAD_INPUT, code, message, retryable=False)


def report(kind, **fields):
    print(json.dumps({"isomorph": kind, **fields}), flush=True)


def read_job():
    # Engines may send an empty line first. Bytes, so that the locale has no say in it.
    line = b""
    while not line.strip():
        line = sys.stdin.buffer.readline()
        if line == b"":
            raise Failure(EXIT_FAILURE, "ERR_SCHEMA", "standard input ended before a job arrived")
    try:
        job = json.loads(line)
    except ValueError:
        # The message of the parser could quote the line, which holds credentials.
        raise Failure(EXIT_FAILURE, "ERR_SCHEMA", "the job is not JSON") from None
    if not isinstance(job, dict) or job.get("v") not in (1, 2):
        raise Failure(EXIT_FAILURE, "ERR_SCHEMA", "the job is not of version 1 or 2 of the contract")
    return job


def refusal_code(refused):
    try:
        code = json.loads(refused.read(65536))["code"]
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        # Not our store: S3 answers in XML.
        return "ERR_URL_REFUSED" if refused.code == 403 else "ERR_EXIT"
    return code if isinstance(code, str) else "ERR_EXIT"


def transfer(what, request):
    """The body of the answer. Faults that pass are tried again. Exceptions of urllib can quote the URL, which is a
    credential, so none is passed on."""
    last = "no answer"
    for attempt in range(TRIES):
        time.sleep(BACKOFF_S * attempt)
        try:
            with urllib.request.urlopen(request, timeout=SOCKET_TIMEOUT_S) as response:
                return response.read()
        except urllib.error.HTTPError as refused:
            if refused.code == 412 and attempt > 0:
                # An earlier try has arrived, though its answer has not.
                return b""
            if refused.code < 500 and refused.code != 409:
                raise Failure(EXIT_FAILURE, refusal_code(refused), f"{what}: HTTP {refused.code}") from None
            last = f"HTTP {refused.code}"
        except http.client.InvalidURL:
            raise Failure(EXIT_FAILURE, "ERR_SCHEMA", f"{what}: the job has no usable URL") from None
        except (OSError, http.client.HTTPException):
            last = "no answer, or one that broke off"
    raise Failure(EXIT_TRANSIENT, "ERR_UNAVAILABLE", f"{what} failed {TRIES} times: {last}", retryable=True)


def whole_number(params, name, default, least, most):
    value = params.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise bad_input("ERR_PARAMS", f"params.{name} is no whole number from {least} to {most}")


def words_of(text):
    """Words in order: runs of letters, marks and digits, which an apostrophe may join. Compared without case, composed
    or decomposed alike. Scripts without spaces have no such runs: there a word is what stands between punctuation."""
    blanks = {}
    for character in set(text):
        if character in APOSTROPHES:
            blanks[ord(character)] = "'"
        elif unicodedata.category(character)[0] not in "LMN":
            blanks[ord(character)] = " "
    folded = unicodedata.normalize("NFC", text.translate(blanks).casefold())
    return re.findall(r"[^ ']+(?:'[^ ']+)*", folded)


def stats_of(body, top, min_length):
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise bad_input("ERR_EXIT", f"the text is not UTF-8 at byte {wrong.start}") from None
    # A byte order mark says how the file is stored; it is no character of the text.
    text = text[1:] if text.startswith("\ufeff") else text
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    words = words_of(text)
    counts = collections.Counter(words)
    shown = [(word, count) for word, count in counts.items() if len(word) >= min_length]
    # Equal counts are ordered by code point, so that the same text gives the same bytes.
    shown.sort(key=lambda entry: (-entry[1], entry[0]))
    return {
        "blank_lines": sum(1 for line in lines if line.strip() == ""),
        "bytes": len(body),
        "characters": len(text),
        "distinct_words": len(counts),
        "lines": len(lines),
        "longest_line_characters": max((len(line) for line in lines), default=0),
        "sha256": hashlib.sha256(body).hexdigest(),
        "top_words": [{"count": count, "word": word} for word, count in shown[:top]],
        "words": len(words),
    }


def run(job):
    top = whole_number(job["params"], "top", 20, 0, 1000)
    min_length = whole_number(job["params"], "min_length", 1, 1, 50)
    source = job["inputs"].get("text")
    if source is None:
        raise bad_input("ERR_INPUT_MISSING", 'no input "text" was given')
    if source["size"] > TEXT_BYTES_MAX:
        raise bad_input("ERR_TOO_LARGE", f"the text has {source['size']} bytes; at most {TEXT_BYTES_MAX} are allowed")
    body = transfer("reading the text", urllib.request.Request(source["get_url"]))
    if len(body) != source["size"]:
        message = f"the text has {source['size']} bytes, but {len(body)} arrived"
        raise Failure(EXIT_TRANSIENT, "ERR_UNAVAILABLE", message, retryable=True)
    report("progress", fraction=0.3, message=f"read {len(body)} bytes")

    answer = json.dumps(
        {"cid": source["cid"], **stats_of(body, top, min_length)},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    ).encode("utf-8")
    target = job["outputs"]["stats.json"]
    if len(answer) > target["max_bytes"]:
        raise Failure(EXIT_FAILURE, "ERR_OUTPUT_TOO_LARGE", f"stats.json has {len(answer)} bytes")
    headers = {**target.get("put_headers", {}), "Content-Type": target["content_type"]}
    transfer("writing stats.json", urllib.request.Request(target["put_url"], answer, headers, method="PUT"))
    report("progress", fraction=1, message="counted")


def main():
    try:
        run(read_job())
    except Failure as failure:
        report("error", **failure.report)
        return failure.exit_code
    except Exception as defect:
        # A traceback ends with the message of the exception, which could quote the job.
        report("error", code="ERR_EXIT", message=f"a defect of the processor: {type(defect).__name__}")
        return EXIT_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
