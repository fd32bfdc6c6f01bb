# A steady flow between pods: numbered requests at a fixed rate for as long as a test wants, and what became of each. The
# answer carries how many requests the server has had, so that losses are known for both ways. Used by flow.ts alone.
# SIGUSR1 marks a moment, SIGTERM ends the flow.
import json
import os
import select
import signal
import socket
import sys
import time

KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
# Of a message: its number and the server's count, each in so many digits.
DIGITS = 8
BURST = 4
# Of linux/in.h; Python names them from 3.14 on.
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


def open_socket(protocol, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, KINDS[protocol])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if protocol == "udp":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((address, port))
    return sock


def answer(data, counts, peer):
    counts[peer] = counts.get(peer, 0) + 1
    return data[:DIGITS] + b"%08d" % counts[peer] + data[2 * DIGITS :]


def serve(protocol, address, port, size):
    sock = open_socket(protocol, address, port)
    counts = {}
    if protocol == "udp":
        print("listening", flush=True)
        while True:
            try:
                data, peer = sock.recvfrom(65535)
                sock.sendto(answer(data, counts, peer), peer)
            except OSError:
                pass
    sock.listen(16)
    print("listening", flush=True)
    rests = {}
    while True:
        for ready in select.select([sock, *rests], [], [])[0]:
            if ready is sock:
                rests[sock.accept()[0]] = b""
                continue
            try:
                data = ready.recv(65535)
                rests[ready] += data
                while data and len(rests[ready]) >= size:
                    message, rests[ready] = rests[ready][:size], rests[ready][size:]
                    ready.sendall(answer(message, counts, ready))
            except OSError:
                data = b""
            if not data:
                del rests[ready]
                ready.close()


class Flow:
    def __init__(self, job):
        self.job = job
        self.size = job["size"]
        self.interval = 1 / job["rate"]
        self.sent_at = []
        self.answered_at = {}
        self.server_count = 0
        # Of the highest number that the server's count includes.
        self.counted_to = -1
        self.run = (-1, 0)
        self.marks = []
        self.unsteady = False
        self.error = None
        self.ended = False
        self.rest = b""
        self.pending = b""
        signal.signal(signal.SIGUSR1, self.mark)
        signal.signal(signal.SIGTERM, self.end)

    def mark(self, *_):
        self.marks.append({"number": len(self.sent_at), "ms": 1000 * (time.monotonic() - self.start)})
        self.run = (-1, 0)
        self.unsteady = True

    def end(self, *_):
        self.ended = True

    def message(self):
        return (b"%08d" % len(self.sent_at)).ljust(self.size, b".")

    def send(self, now):
        self.pending += self.message() if self.job["protocol"] == "tcp" else b""
        try:
            if self.job["protocol"] == "udp":
                self.sock.send(self.message())
            else:
                self.pending = self.pending[self.sock.send(self.pending) :]
        except (BlockingIOError, ConnectionRefusedError):
            pass
        except OSError as failure:
            self.error = str(failure)
        self.sent_at.append(now)

    def receive(self, data, now):
        number, count = int(data[:DIGITS]), int(data[DIGITS : 2 * DIGITS])
        self.answered_at[number] = now
        if number > self.counted_to:
            self.counted_to, self.server_count = number, count
        last, length = self.run
        self.run = (number, length + 1 if number == last + 1 else 1)
        if self.unsteady and self.run[1] >= self.job["rate"] / 4:
            self.unsteady = False
            print("steady %d" % len(self.marks), flush=True)

    def drain(self):
        while True:
            try:
                data = self.sock.recv(65535)
            except OSError:
                return
            now = time.monotonic()
            if self.job["protocol"] == "udp":
                self.receive(data, now)
                continue
            if not data:
                self.error = "closed by the server"
                self.ended = True
                return
            self.rest += data
            while len(self.rest) >= self.size:
                self.receive(self.rest, now)
                self.rest = self.rest[self.size :]

    def go(self):
        job = self.job
        self.start = time.monotonic()
        self.sock = open_socket(job["protocol"], job["source"], job["sourcePort"])
        if job.get("dontFragment"):
            self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        self.sock.settimeout(20)
        self.sock.connect((job["address"], job["port"]))
        self.sock.setblocking(False)
        print("started", flush=True)
        self.start = next_at = time.monotonic()
        while not self.ended:
            now = time.monotonic()
            # After a pause of the whole machine the rate is kept, not made up for: bursts would overflow queues.
            next_at = max(next_at, now - BURST * self.interval)
            while next_at <= now:
                self.send(now)
                next_at += self.interval
            self.drain()
            time.sleep(max(0, next_at - time.monotonic()))
        deadline = time.monotonic() + job["lingerMs"] / 1000
        while time.monotonic() < deadline and len(self.answered_at) < len(self.sent_at):
            time.sleep(0.02)
            self.drain()

    def result(self):
        runs = []
        for number in range(len(self.sent_at)):
            if number in self.answered_at:
                continue
            if runs and runs[-1]["last"] == number - 1:
                runs[-1]["last"] = number
            else:
                runs.append({"first": number, "last": number})
        ms = lambda number: 1000 * (self.sent_at[number] - self.start)
        for run in runs:
            run["fromMs"], run["toMs"] = ms(run["first"]), ms(run["last"])
        times = [0, *sorted(1000 * (at - self.start) for at in self.answered_at.values())]
        return {
            "sent": len(self.sent_at),
            "ms": 1000 * (self.sent_at[-1] - self.start) if self.sent_at else 0,
            "received": len(self.answered_at),
            "requestsLost": self.counted_to + 1 - self.server_count,
            "lost": runs,
            "longestGapMs": max((b - a for a, b in zip(times, times[1:])), default=0),
            "marks": self.marks,
            "error": self.error,
        }


# Pods leave the platform's programs their share, as the cores that a host reserves for them do: at the guest's limit every
# figure would otherwise be about who gets its one processor.
os.nice(10)
if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
else:
    flow = Flow(json.loads(sys.argv[2]))
    try:
        flow.go()
    except OSError as failure:
        flow.error = str(failure)
    print(json.dumps(flow.result()), flush=True)
