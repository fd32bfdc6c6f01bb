// SCTP of pods through a tunnel: what a pod's interface must be told first, and why.
import type { Places, PodKey } from './places.ts';

/**
 * What `ethtool -K eth0 tx-checksum-sctp off` does. A veth takes SCTP packets without their CRC32c; the kernel's xfrm output then
 * fills in the checksum of TCP and UDP instead, which the receiver cannot accept (seen with Linux 6.1: INIT arrives, no answer;
 * with the feature off all is well). That is the kernel's: in a cluster the same setting, in the pod's network, is the remedy.
 */
export async function checksumSctpInSoftware(lab: Pick<Places, 'run'>, pod: PodKey): Promise<void> {
  await lab.run(pod, ['/usr/bin/python3', '-IS', '-c', SWITCH_OFF]);
}

/** ETHTOOL_GSSET_INFO, ETHTOOL_GSTRINGS and ETHTOOL_SFEATURES of linux/ethtool.h. */
const SWITCH_OFF = `
import array, fcntl, socket, struct
sock = socket.socket()
def ethtool(data):
    buffer = array.array("B", data)
    fcntl.ioctl(sock, 0x8946, struct.pack("16sP", b"eth0", buffer.buffer_info()[0]))
    return buffer.tobytes()
count = struct.unpack("IIQI", ethtool(struct.pack("IIQI", 0x37, 0, 1 << 4, 0)))[3]
names = ethtool(struct.pack("III", 0x1b, 4, count) + bytes(32 * count))[12:]
index = [names[32 * i : 32 * i + 32].rstrip(bytes(1)) for i in range(count)].index(b"tx-checksum-sctp")
words = [(1 << index % 32 if word == index // 32 else 0, 0) for word in range((count + 31) // 32)]
ethtool(struct.pack("II", 0x3b, len(words)) + b"".join(struct.pack("II", *word) for word in words))
`;
