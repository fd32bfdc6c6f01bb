# Runs inside the guest: starts programs for the test process, in any namespaces, and streams what they say; protocol
# in guest-protocol.ts. Starting a program through `nsenter` costs two more exec calls, which are what is slow in a
# user-mode kernel; so here a thread for each set of namespaces enters them once and starts programs from there.
import base64
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

CLONE_FS = 0x200
libc = ctypes.CDLL(None, use_errno=True)
outside = socket.create_connection((sys.argv[1], int(sys.argv[2])))
outside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
selector = selectors.DefaultSelector()
places = {}
running = {}


def say(event):
    outside.sendall(json.dumps(event).encode() + b"\n")


def checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def enter(namespaces):
    """Moves this thread; a mount namespace can be entered only by who shares no working directory with others."""
    if namespaces:
        checked(libc.unshare(CLONE_FS), "unshare")
    for path in namespaces:
        with open(path, "rb") as namespace:
            checked(libc.setns(namespace.fileno(), 0), path)


def place(namespaces):
    key = tuple(namespaces)
    if key not in places:
        places[key] = ThreadPoolExecutor(1, initializer=enter, initargs=(namespaces,))
    return places[key]


def popen(request):
    stdin = os.memfd_create("stdin")
    os.write(stdin, request.get("input", "").encode())
    os.lseek(stdin, 0, os.SEEK_SET)
    try:
        return subprocess.Popen(
            request["argv"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **request.get("env", {})},
            start_new_session=True,
        )
    finally:
        os.close(stdin)


def start(request):
    number = request["id"]
    try:
        process = place(request["namespaces"]).submit(popen, request).result()
    except Exception as error:
        output(number, "stderr", f"{error}\n".encode())
        say({"kind": "exit", "id": number, "code": 127, "signal": None})
        return
    running[number] = process
    for stream, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
        os.set_blocking(pipe.fileno(), False)
        selector.register(pipe, selectors.EVENT_READ, lambda p=pipe, s=stream: drain(number, s, p))
    # A descendant may hold the pipes open for ever; the end of the program itself is what counts.
    end = os.pidfd_open(process.pid)
    selector.register(end, selectors.EVENT_READ, lambda: finish(number, process, end))


def output(number, stream, data):
    say({"kind": "output", "id": number, "stream": stream, "base64": base64.b64encode(data).decode()})


def drain(number, stream, pipe):
    """Passes on what is there; gives up a pipe that is at its end."""
    while data := pipe.read(65536):
        output(number, stream, data)
    if data == b"":
        selector.unregister(pipe)
        pipe.close()


def finish(number, process, end):
    for stream, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
        if not pipe.closed:
            drain(number, stream, pipe)
        if not pipe.closed:
            selector.unregister(pipe)
            pipe.close()
    selector.unregister(end)
    os.close(end)
    code = process.wait()
    del running[number]
    killed = signal.Signals(-code).name if code < 0 else None
    say({"kind": "exit", "id": number, "code": None if code < 0 else code, "signal": killed})


def obey(request):
    if request["kind"] == "start":
        start(request)
    elif request["kind"] == "forget":
        places.pop(tuple(request["namespaces"]), ThreadPoolExecutor(1)).shutdown()
    elif process := running.get(request["id"]):
        target = -process.pid if request["group"] else process.pid
        os.kill(target, signal.Signals[request["signal"]])


def listen():
    rest = b""

    def take():
        nonlocal rest
        data = outside.recv(1 << 16)
        if not data:
            sys.exit(0)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            obey(json.loads(line))

    selector.register(outside, selectors.EVENT_READ, take)


say({"kind": "hello"})
listen()
while True:
    for key, _ in selector.select():
        # What an earlier one of this round has closed is not there any more.
        if selector.get_map().get(key.fd) is key or key.fileobj in selector.get_map():
            key.data()
