# Sourced after env.sh by scripts that need Debian packages: installs those that are missing, which only root can.
# shellcheck shell=bash
install_debian_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" = 0 ] || die "these Debian packages are missing and only root can install them: ${missing[*]}"
  say "setup: Debian packages ${missing[*]}"
  apt-get update -qq
  # No package starts its daemon: tests start their own, in folders and namespaces of their own.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
