"""Job, transfers and reports as docs/processor-contract.md tells them, with the standard library."""

import http.client
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request

from failures import EXIT_FAILURE, Failure, transient

TRIES = 3
BACKOFF_S = 0.2
SOCKET_TIMEOUT_S = 60


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


def _refusal_code(refused):
    try:
        code = json.loads(refused.read(65536))["code"]
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        # Not our store: S3 answers in XML.
        return "ERR_URL_REFUSED" if refused.code == 403 else "ERR_EXIT"
    return code if isinstance(code, str) else "ERR_EXIT"


def _transfer(what, attempt):
    """Runs `attempt` up to three times. Exceptions of urllib can quote the URL, which is a credential, so none is
    passed on."""
    last = "no answer"
    for turn in range(TRIES):
        time.sleep(BACKOFF_S * turn)
        try:
            return attempt()
        except urllib.error.HTTPError as refused:
            if refused.code == 412 and turn > 0:
                # An earlier try has arrived, though its answer has not.
                return None
            if refused.code < 500 and refused.code != 409:
                raise Failure(EXIT_FAILURE, _refusal_code(refused), f"{what}: HTTP {refused.code}") from None
            last = f"HTTP {refused.code}"
        except http.client.InvalidURL:
            raise Failure(EXIT_FAILURE, "ERR_SCHEMA", f"{what}: the job has no usable URL") from None
        except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException):
            last = "no answer, or one that broke off"
    raise transient(f"{what} failed {TRIES} times: {last}") from None


def download(name, source, path):
    """Writes an input to a file, checked against its declared size."""

    def attempt():
        with urllib.request.urlopen(source["get_url"], timeout=SOCKET_TIMEOUT_S) as response, open(path, "wb") as file:
            shutil.copyfileobj(response, file, 1 << 20)

    _transfer(f'reading input "{name}"', attempt)
    size = os.path.getsize(path)
    if size != source["size"]:
        raise transient(f'input "{name}" has {source["size"]} bytes, but {size} arrived')


def upload(name, target, path):
    """Sends a file as an output, from disk: a video need not fit into memory."""
    size = os.path.getsize(path)
    if size > target["max_bytes"]:
        message = f'{name} has {size} bytes; at most {target["max_bytes"]} are allowed'
        raise Failure(EXIT_FAILURE, "ERR_OUTPUT_TOO_LARGE", message)

    def attempt():
        with open(path, "rb") as body:
            own = {"Content-Type": target["content_type"], "Content-Length": str(size)}
            headers = {**target.get("put_headers", {}), **own}
            request = urllib.request.Request(target["put_url"], body, headers, method="PUT")
            with urllib.request.urlopen(request, timeout=SOCKET_TIMEOUT_S) as response:
                response.read()

    _transfer(f"writing {name}", attempt)
