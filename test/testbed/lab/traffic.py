# Traffic between pods: an echo server, and a client that sends numbered messages and reports which came back.
# Starts in a third of a second in the guest. Used by traffic.ts alone.
import json
import select
import socket
import sys
import time

PROTOCOLS = {
    "udp": (socket.SOCK_DGRAM, 0),
    "tcp": (socket.SOCK_STREAM, 0),
    "sctp": (socket.SOCK_STREAM, 132),
}


def open_socket(protocol, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind, number = PROTOCOLS[protocol]
    sock = socket.socket(family, kind, number)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # SO_RCVBUFFORCE: a loaded guest may leave a program waiting for a second, which must not look like a loss.
    sock.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)
    sock.bind((address, port))
    return sock


def serve(protocol, address, port):
    sock = open_socket(protocol, address, port)
    if protocol != "udp":
        sock.listen(64)
    print("listening", flush=True)
    streams = []
    while True:
        for ready in select.select([sock, *streams], [], [])[0]:
            if protocol == "udp":
                data, peer = ready.recvfrom(65535)
                try:
                    ready.sendto(data, peer)
                except OSError:
                    pass
            elif ready is sock:
                streams.append(sock.accept()[0])
            else:
                try:
                    data = ready.recv(65535)
                    if data:
                        ready.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    streams.remove(ready)
                    ready.close()


def talk(job):
    """Sends `count` messages of `size` bytes every `intervalMs`; then waits `lingerMs` for what is missing."""
    sock = open_socket(job["protocol"], job["source"], job["sourcePort"])
    peer = (job["address"], job["port"])
    sock.settimeout(job["lingerMs"] / 1000)
    count, size = job["count"], job["size"]
    received = set()
    sent = 0
    error = None
    rest = b""
    try:
        # A connected socket ignores strangers; the message number is the first 8 digits.
        sock.connect(peer)
        print("connected", flush=True)
        start = time.monotonic()
        deadline = None
        while len(received) < count:
            now = time.monotonic()
            while sent < count and now >= start + sent * job["intervalMs"] / 1000:
                try:
                    sock.send(b"%08d" % sent + b"." * (size - 8))
                except ConnectionRefusedError:
                    pass
                except OSError as failure:
                    error = str(failure)
                sent += 1
            if sent == count and deadline is None:
                deadline = time.monotonic() + job["lingerMs"] / 1000
            until = deadline if deadline is not None else start + sent * job["intervalMs"] / 1000
            wait = until - time.monotonic()
            if deadline is not None and wait <= 0:
                break
            if not select.select([sock], [], [], max(0, wait))[0]:
                continue
            try:
                data = sock.recv(65535)
            except OSError:
                continue
            if job["protocol"] == "udp":
                received.add(int(data[:8]))
                continue
            if not data:
                error = "closed by the server"
                break
            rest += data
            while len(rest) >= size:
                received.add(int(rest[:8]))
                rest = rest[size:]
    except OSError as failure:
        error = str(failure)
    lost = [number for number in range(sent) if number not in received]
    print(json.dumps({"sent": sent, "received": len(received), "lost": lost, "error": error}), flush=True)


if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    talk(json.loads(sys.argv[2]))
