// charon's configuration as the platform writes it, for one host: what is there before our application comes, and what
// it must never disturb. Source: starlingx/config, sysinv ipsec_auth/common/config (StrongswanPuppet).
import type { Certificate, PlatformPki } from './pki.ts';
import { MANAGEMENT_NETWORK, type HostFacts } from './topology.ts';

const BYPASSED_PORTS = [
  ...[
    '22',
    '443',
    '636',
    '8443',
    '9001',
    '9002',
    '6800-6815',
    '6816-6847',
    '6848-6911',
    '6912-7167',
    '7168-7295',
  ],
  ...['7296-7299', '7300', '7793', '7797', '7798-7799', '7788-7789', '7790', '7794'],
];

const PLUGINS =
  'random nonce openssl aes sha1 sha2 hmac xcbc gcm kdf pem pkcs1 pkcs8 x509 pubkey constraints revocation ' +
  'kernel-netlink socket-default vici updown counters';

/** `/etc/strongswan.conf`: the platform's options; plugins are listed, since all of Debian's cost seconds in the guest. */
export const STRONGSWAN_CONF = `charon {
  load = ${PLUGINS}
  make_before_break = yes
  retransmit_tries = 3
  close_ike_on_child_failure = yes
  inactivity_close_ike = yes
  check_current_path = yes
  start-scripts {
    load-all = /usr/sbin/swanctl --load-all
  }
  stop-scripts {
    stop-all = /usr/sbin/swanctl --terminate --ike system-nodes
  }
  filelog {
    stderr {
      default = 1
      ike_name = yes
      flush_line = yes
      time_format = %H:%M:%S
      time_add_ms = yes
    }
  }
}
swanctl {
  load = pem x509 pkcs1 pkcs8 pubkey openssl
}
`;

/** `/etc/swanctl/swanctl.conf` of a host. */
export function swanctlConf(host: HostFacts): string {
  const ports = BYPASSED_PORTS.map((port) => `dynamic[tcp/${port}]`).join(',');
  const anywhere = '0.0.0.0/0, ::/0';
  return `connections {
  system-nodes {
    reauth_time = 14400
    rekey_time = 3600
    unique = never
    mobike = no
    dpd_delay = 10
    dpd_timeout = 10
    local_addrs = ${host.management}
    remote_addrs = %any
    local {
      auth = pubkey
      certs = system-ipsec-certificate-${host.name}.crt
    }
    remote {
      id = CN=*
      auth = pubkey
      cacerts = system-root-ca-0.crt,system-root-ca-1.crt
    }
    children {
      node {
        mode = transport
        start_action = trap
        inactivity = 15
        local_ts = ${MANAGEMENT_NETWORK}
        remote_ts = ${MANAGEMENT_NETWORK}
      }
    }
  }
${passConnection('system-nodes-local', 'node-bypass', host.management, host.management)}
${passConnection('services-bypass-egress', 'service-bypass', anywhere, ports, '127.0.0.1')}
${passConnection('services-bypass-ingress', 'service-bypass', ports, anywhere, '127.0.0.1')}
${passConnection('ping', 'icmp-bypass', '0.0.0.0/0[icmp]', '0.0.0.0/0[icmp]')}
${passConnection('ndp', 'icmpv6-bypass', '::/0[ipv6-icmp]', '::/0[ipv6-icmp]')}
}
include conf.d/*.conf
`;
}

function passConnection(
  name: string,
  child: string,
  localTs: string,
  remoteTs: string,
  remote?: string,
): string {
  return `  ${name} {${remote === undefined ? '' : `\n    remote_addrs = ${remote}`}
    children {
      ${child} {
        mode = pass
        start_action = trap
        local_ts = ${localTs}
        remote_ts = ${remoteTs}
      }
    }
  }`;
}

/** Path below `/etc/swanctl` to content: all that the platform puts there. */
export function platformFiles(host: HostFacts, pki: PlatformPki, own: Certificate): Record<string, string> {
  const [previous, current] = pki.localCas;
  return {
    'swanctl.conf': swanctlConf(host),
    'x509ca/system-root-ca-0.crt': pki.root.certificate,
    'x509ca/system-root-ca-1.crt': pki.root.certificate,
    'x509ca/system-local-ca-0.crt': previous.certificate,
    'x509ca/system-local-ca-1.crt': current.certificate,
    ...certificateFiles(host, own),
  };
}

export function certificateFiles(host: HostFacts, own: Certificate): Record<string, string> {
  return {
    [`x509/system-ipsec-certificate-${host.name}.crt`]: own.certificate,
    [`private/system-ipsec-certificate-${host.name}.key`]: own.key,
  };
}
