# Asks a DNS server for A or AAAA records of a name (RFC 1035) and prints the addresses. Used by traffic.ts alone.
import os
import socket
import struct
import sys


def question(name, record):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return os.urandom(2) + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, record, 1)


def exchange(protocol, server, query):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as sock:
        sock.settimeout(1)
        sock.connect((server, 53))
        if protocol == "udp":
            sock.send(query)
            return sock.recv(4096)
        sock.sendall(struct.pack(">H", len(query)) + query)
        stream = sock.makefile("rb")
        return stream.read(struct.unpack(">H", stream.read(2))[0])


def skip_name(data, at):
    while data[at] and data[at] < 192:
        at += data[at] + 1
    return at + (2 if data[at] else 1)


def addresses(data, record):
    at = skip_name(data, 12) + 4
    for _ in range(struct.unpack_from(">H", data, 6)[0]):
        at = skip_name(data, at)
        kind, _, _, length = struct.unpack_from(">HHIH", data, at)
        if kind == record:
            yield socket.inet_ntop(socket.AF_INET if length == 4 else socket.AF_INET6, data[at + 10 : at + 10 + length])
        at += 10 + length


protocol, server, kind, name, tries = sys.argv[1:]
record = {"A": 1, "AAAA": 28}[kind]
for attempt in range(int(tries)):
    try:
        answer = exchange(protocol, server, question(name, record))
        print("\n".join(addresses(answer, record)))
        break
    except OSError as failure:
        print(f"no answer from {server}: {failure}", file=sys.stderr)
else:
    sys.exit(1)
