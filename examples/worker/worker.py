"""Serves my/count@1 by docs/worker-contract.md: any NATS client would do, here a plain socket. Standard library only.

    python3 worker.py nats://user:password@host:port
"""

import hashlib
import http.client
import json
import pathlib
import secrets
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

REF, NAME, VERSION, SLOTS = "my/count@1", "count-py", "1.0.0", 4
ID = secrets.token_hex(12)
DIGEST = "sha256:" + hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
# It takes nothing out of its texts, and says so: then only codes are kept of them.
BY = {"name": NAME, "version": VERSION, "digest": DIGEST, "scrubs": False}
GRACE_S = 2


class Failure(Exception):
    def __init__(self, exit_code, code, message):
        super().__init__(message)
        self.exit_code, self.code, self.message = exit_code, code, message


def transfer(request):
    # Exceptions of urllib can quote the URL, which is a credential: never pass them on.
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()
    except urllib.error.HTTPError as refused:
        raise Failure(75 if refused.code >= 500 else 1, "ERR_EXIT", f"HTTP {refused.code}") from None
    except (OSError, http.client.HTTPException):
        raise Failure(75, "ERR_UNAVAILABLE", "no answer") from None


def count(job, progress):
    """The processor itself: a job as any processor gets it."""
    text = transfer(job["inputs"]["text"]["get_url"]).decode("utf-8", "replace")
    progress(0.5)
    counts = {"characters": len(text), "lines": len(text.splitlines()), "words": len(text.split())}
    target = job["outputs"]["counts.json"]
    headers = {**target.get("put_headers", {}), "Content-Type": target["content_type"]}
    body = json.dumps(counts, sort_keys=True, separators=(",", ":")).encode()
    transfer(urllib.request.Request(target["put_url"], body, headers, method="PUT"))


class Nats:
    """As much of the protocol as a worker needs."""

    def __init__(self, url):
        place = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port or 4222))
        self.lines = self.socket.makefile("rb")
        self.lock = threading.Lock()
        self.handlers = {}
        login = {"user": urllib.parse.unquote(place.username or ""), "pass": urllib.parse.unquote(place.password or "")}
        options = {"verbose": False, "pedantic": False, "lang": "python", "version": "0"}
        self.send(b"CONNECT " + json.dumps({**options, **login, "name": NAME}).encode() + b"\r\n")

    def send(self, data):
        with self.lock:
            self.socket.sendall(data)

    def publish(self, subject, body):
        data = json.dumps(body).encode()
        self.send(f"PUB {subject} {len(data)}\r\n".encode() + data + b"\r\n")

    def subscribe(self, subject, handler):
        sid = str(len(self.handlers) + 1)
        self.handlers[sid] = handler
        self.send(f"SUB {subject} {sid}\r\n".encode())

    def read(self):
        for line in self.lines:
            words = line.split()
            if words[:1] == [b"PING"]:
                self.send(b"PONG\r\n")
            elif words[:1] == [b"MSG"]:
                # MSG <subject> <sid> [reply] <bytes>
                data = self.lines.read(int(words[-1]))
                self.lines.readline()
                reply = words[3].decode() if len(words) == 5 else None
                self.handlers[words[2].decode()](json.loads(data or b"{}"), reply)
            elif words[:1] == [b"-ERR"]:
                sys.exit(line.decode().strip())


class Run:
    def __init__(self, offer):
        self.offer, self.id = offer, offer["execution_id"]
        self.started = time.monotonic()
        self.belongs_to(offer)
        self.stopped = self.ended = None
        self.ending = threading.Lock()
        self.forgotten = threading.Event()
        threading.Thread(target=self.work, daemon=True).start()
        threading.Thread(target=self.watch, daemon=True).start()

    def belongs_to(self, asked):
        self.dispatcher, self.contact_ms, self.heard = asked["dispatcher"], asked["contact_ms"], time.monotonic()

    def tell(self, kind, **fields):
        nats.publish(f"workers.from.my.{ID}.{self.dispatcher}", {"v": 1, "kind": kind, "execution_id": self.id, **fields})

    def work(self):
        outcome, error = {"kind": "exited", "exit_code": 0}, {}
        try:
            count(self.offer["job"], lambda fraction: self.tell("progress", fraction=fraction))
        except Failure as failure:
            outcome = {"kind": "exited", "exit_code": failure.exit_code}
            error = {"error": {"code": failure.code, "message": failure.message}}
        except Exception as defect:
            outcome, error = {"kind": "exited", "exit_code": 1}, {"error": {"code": "ERR_EXIT", "message": str(defect)[:8000]}}
        slots.release()
        self.end({"kind": self.stopped} if self.stopped else outcome, error)

    def end(self, outcome, error):
        with self.ending:
            if self.ended:
                return
            duration_ms = round(1000 * (time.monotonic() - self.started))
            self.ended = {"outcome": outcome, "duration_ms": duration_ms, **error}
        threading.Thread(target=self.repeat, daemon=True).start()

    def repeat(self):
        wait = 1
        while not self.forgotten.is_set():
            self.tell("ended", **self.ended)
            self.forgotten.wait(wait)
            wait = min(2 * wait, 30)

    def stop(self, reason):
        """Python cannot end a thread: it keeps its slot until it returns, and its end is told without it."""
        if self.ended or self.stopped:
            return
        self.stopped = reason
        threading.Timer(GRACE_S, self.end, [{"kind": reason}, {}]).start()

    def watch(self):
        deadline = self.started + self.offer["timeout_ms"] / 1000
        while not self.ended and not self.forgotten.wait(0.1):
            now = time.monotonic()
            if now > deadline:
                self.stop("timed_out")
            elif now - self.heard > self.contact_ms / 1000:
                self.stop("lost")


runs = {}
# A slot is taken until its function returns, whatever became of the run.
slots = threading.BoundedSemaphore(SLOTS)


def answer_offer(offer, reply):
    known = runs.get(offer.get("execution_id"))
    if offer.get("v") != 1 or offer.get("processor") != REF:
        return nats.publish(reply, {"v": 1, "answer": "unknown"})
    if known is None and not slots.acquire(blocking=False):
        return nats.publish(reply, {"v": 1, "answer": "busy"})
    nats.publish(reply, {"v": 1, "answer": "accepted", "by": BY})
    if known is None:
        runs[offer["execution_id"]] = Run(offer)
    else:
        known.belongs_to(offer)


def answer_contact(contact, reply):
    own = [run for run in runs.values() if run.dispatcher == contact["dispatcher"]]
    for run in own:
        run.heard = time.monotonic()
    nats.publish(reply, {"v": 1, "executions": [run.id for run in own]})


def answer_find(find, reply):
    run = runs.get(find["execution_id"])
    if run is None:
        return
    run.belongs_to(find)
    found = {"v": 1, "id": ID, "execution_id": run.id, "by": BY, "running_ms": round(1000 * (run.heard - run.started))}
    if run.ended:
        found["ended"] = {"v": 1, "kind": "ended", "execution_id": run.id, **run.ended}
    nats.publish(reply, found)


def stop(message, _):
    if message["execution_id"] in runs:
        runs[message["execution_id"]].stop(message["reason"])


def forget(message, _):
    run = runs.pop(message["execution_id"], None)
    if run:
        run.forgotten.set()


def announce(kind, **fields):
    metadata = {"isomorph": "1", "digest": DIGEST, "processors": REF, "slots": str(SLOTS)}
    about = {"type": f"io.nats.micro.v1.{kind}_response", "name": NAME, "id": ID, "version": VERSION, "metadata": metadata}
    return lambda _, reply: nats.publish(reply, {**about, **fields})


nats = Nats(sys.argv[1])
for verb, answer in (
    ("PING", announce("ping")),
    ("INFO", announce("info", description="counts words", endpoints=[])),
    ("STATS", announce("stats", started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), endpoints=[])),
):
    for suffix in ("", f".{NAME}", f".{NAME}.{ID}"):
        nats.subscribe(f"$SRV.{verb}{suffix}", answer)
nats.subscribe(f"workers.to.my.{ID}.offer", answer_offer)
nats.subscribe(f"workers.to.my.{ID}.contact", answer_contact)
nats.subscribe("workers.all.my.find", answer_find)
for to in (f"workers.to.my.{ID}", "workers.all.my"):
    nats.subscribe(f"{to}.stop", stop)
    nats.subscribe(f"{to}.forget", forget)
print(ID, flush=True)
nats.read()
