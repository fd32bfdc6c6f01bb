# Sourced by every script: where things are cached, and Node 24 first on the PATH.
# shellcheck shell=bash
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NODE_VERSION=24.21.0
NODE_INTEGRITY=sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==
KUBERNETES_VERSION=1.34.4
# helm-controller's; the platform has a release of the same API (helm.toolkit.fluxcd.io/v2).
FLUX_VERSION=1.6.4
CACHE=${IPSEC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ipsec-policy-operator}
NODE_DIR=$CACHE/node-$NODE_VERSION
KUBERNETES_DIR=$CACHE/kubernetes-$KUBERNETES_VERSION
FLUX_DIR=$CACHE/flux-$FLUX_VERSION
export IPSEC_CACHE=$CACHE IPSEC_KUBERNETES_DIR=$KUBERNETES_DIR IPSEC_FLUX_DIR=$FLUX_DIR
export PATH=$NODE_DIR/bin:$PATH

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# The application's version X.Y-Z, which is written in metadata.yaml alone. The platform deletes any other form.
application_version() {
  local version
  version=$(sed -nE "s/^app_version: *['\"]?([0-9]+\.[0-9]+-[0-9]+)['\"]? *(#.*)?$/\1/p" "$ROOT/metadata.yaml")
  [ -n "$version" ] || die "metadata.yaml: app_version must have the form X.Y-Z"
  printf '%s\n' "$version"
}
