#!/bin/bash
# Init of the guest: file systems, kernel modules, the bridge to the outside, then the server that runs what tests
# ask for. LAB_* comes from the kernel's command line. The root is the outside's own root: state goes to tmpfs.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup || true
mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts
for dir in /run /mnt /dev/shm /var/log; do mount -t tmpfs tmpfs "$dir"; done
mkdir -p /run/netns /run/ns /run/lock

# modprobe, also as the kernel calls it, with the guest's modules: they are not in /lib/modules of the root. Rebuilt ones
# (scripts/build-nf-tables) have the nf_tables families that Debian's lack and StarlingX' kernels have.
modules=/run/modules/lib/modules
mkdir -p "$modules"
release=$(uname -r)
source=/usr/lib/uml/modules/$release
[ -d "$LAB_CACHE/uml-modules-$release" ] && source=$LAB_CACHE/uml-modules-$release
ln -s "$source" "$modules/$release"
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/modules "$@"\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
# shellcheck disable=SC2086 # a list of words
/run/modprobe -a $LAB_MODULES

# What every namespace made later inherits.
sysctl -qw net.core.devconf_inherit_init_net=1 net.ipv4.neigh.default.proxy_delay=0 \
  net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0

ip link set lo up
for network in $LAB_NETWORKS; do
  ip link add "br-$network" type bridge forward_delay 0 mcast_snooping 0
  ip link set "br-$network" up
done
ip link set vec0 master br-oam up
ip addr add "$LAB_GUEST/24" dev br-oam

# The first GCM state costs a second of self-tests; without this a handshake pays for it and retransmits.
ip xfrm state add src 127.0.0.1 dst 127.0.0.2 proto esp spi 1 reqid 1 mode tunnel \
  aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128
ip xfrm state flush

/usr/bin/python3 -IS "$LAB_SERVER" "$LAB_OUTSIDE" "$LAB_PORT" || echo "guest-server ended with $?"
poweroff -f
