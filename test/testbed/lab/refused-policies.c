// Loaded into charon (LD_PRELOAD) by a test that wants the kernel to refuse its policies for one port, REFUSED_PORT: what charon
// sends for them gets a prefix that no address has, and the kernel answers EINVAL. Everything else goes through as it is.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int is_refused(const struct nlmsghdr *message, size_t length) {
  const struct xfrm_userpolicy_info *policy = NLMSG_DATA(message);
  const char *port = getenv("REFUSED_PORT");
  if (!port || length < NLMSG_LENGTH(sizeof *policy)) return 0;
  if (message->nlmsg_type != XFRM_MSG_NEWPOLICY && message->nlmsg_type != XFRM_MSG_UPDPOLICY) return 0;
  __be16 refused = htons(atoi(port));
  return policy->sel.dport == refused || policy->sel.sport == refused;
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
  char spoiled[4096];
  if (!real) real = dlsym(RTLD_NEXT, "sendto");
  if (to && to->sa_family == AF_NETLINK && length <= sizeof spoiled && is_refused(data, length)) {
    memcpy(spoiled, data, length);
    ((struct xfrm_userpolicy_info *)NLMSG_DATA((struct nlmsghdr *)spoiled))->sel.prefixlen_d = 255;
    data = spoiled;
  }
  return real(fd, data, length, flags, to, size);
}
