# Asks the HTTP probes of one container as a kubelet does and prints what changes: `ready`, `unready`, and `unhealthy` when the
# liveness probe has failed too often. One process for all of them: starting a program is what costs time in the guest.
import json
import socket
import sys
import time


def answers(probe):
    head = f"GET {probe['path']} HTTP/1.0\r\nHost: {probe['host']}\r\nUser-Agent: kube-probe\r\n\r\n"
    try:
        with socket.create_connection((probe["host"], probe["port"]), probe["timeoutSeconds"]) as connection:
            connection.settimeout(probe["timeoutSeconds"])
            connection.sendall(head.encode())
            status = connection.recv(64).split(b" ")
            return len(status) > 1 and status[1][:1] in (b"2", b"3")
    except OSError:
        return False


probes = json.loads(sys.argv[1])
for probe in probes:
    # A container is alive until shown otherwise, and not ready until shown to be.
    probe.update(due=0, good=probe["kind"] == "liveness", row=0)
while True:
    probe = min(probes, key=lambda each: each["due"])
    time.sleep(max(0, probe["due"] - time.monotonic()))
    probe["due"] = time.monotonic() + probe["periodSeconds"]
    if answers(probe) == probe["good"]:
        probe["row"] = 0
        continue
    probe["row"] += 1
    if probe["row"] < probe["failureThreshold" if probe["good"] else "successThreshold"]:
        continue
    probe.update(good=not probe["good"], row=0)
    if probe["kind"] == "readiness":
        print("ready" if probe["good"] else "unready", flush=True)
    elif not probe["good"]:
        print("unhealthy", flush=True)
