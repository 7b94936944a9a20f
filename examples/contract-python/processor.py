"""text/count@1: counts the lines, words and characters of a text. Standard library only."""

import http.client
import json
import sys
import urllib.error
import urllib.request

BAD_INPUT = 65
TRANSIENT = 75


def report(kind, **fields):
    print(json.dumps({"isomorph": kind, **fields}), flush=True)


def fail(exit_code, code, message, **fields):
    report("error", code=code, message=message, **fields)
    sys.exit(exit_code)


def transfer(what, request):
    # Exceptions of urllib can quote the URL, which is a credential: say what failed, never pass them on.
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()
    except urllib.error.HTTPError as refused:
        try:
            code = json.loads(refused.read())["code"]
        except (ValueError, KeyError, TypeError):
            code = "ERR_EXIT"
        status = refused.code
    except (OSError, http.client.HTTPException):
        fail(TRANSIENT, "ERR_UNAVAILABLE", f"{what}: no answer", retryable=True)
    passing = status >= 500 or status in (408, 409, 429)
    fail(TRANSIENT if passing else 1, code, f"{what}: HTTP {status}", retryable=passing)


def read_job():
    line = next((line for line in sys.stdin if line.strip()), "")
    try:
        job = json.loads(line)
    except ValueError:
        job = {}
    if job.get("v") not in (1, 2):
        fail(1, "ERR_SCHEMA", "no job of version 1 or 2 on standard input")
    return job


def main():
    job = read_job()
    source = job["inputs"]["text"]
    body = transfer("reading the text", urllib.request.Request(source["get_url"]))
    if len(body) != source["size"]:
        fail(TRANSIENT, "ERR_EXIT", "the text arrived cut short", retryable=True)
    report("progress", fraction=0.5, message=f"read {len(body)} bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        fail(BAD_INPUT, "ERR_EXIT", f"the text is not UTF-8 at byte {wrong.start}", retryable=False)

    counts = {"characters": len(text), "lines": len(text.splitlines()), "words": len(text.split())}
    answer = json.dumps(counts, sort_keys=True, separators=(",", ":")).encode("utf-8")

    target = job["outputs"]["counts.json"]
    if len(answer) > target["max_bytes"]:
        fail(1, "ERR_OUTPUT_TOO_LARGE", f"counts.json has {len(answer)} bytes")
    headers = {**target.get("put_headers", {}), "Content-Type": target["content_type"]}
    transfer("writing counts.json", urllib.request.Request(target["put_url"], answer, headers, method="PUT"))
    report("progress", fraction=1, message="counted")


main()
