#!/bin/sh
# Installs what building ckpt needs on Debian or Ubuntu, with further packages given as arguments,
# and nothing that is there already.
# Safe to run again; works as root or with sudo, with or without a terminal.
set -eu

say() { printf '==> %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

packages='git pkg-config zlib1g-dev libopenblas-dev libarchive-dev libssl-dev'
packages="$packages libzstd-dev libsnappy-dev liblz4-dev libbrotli-dev"
packages="$packages $*"
libraries='zlib openblas libarchive libcrypto libzstd snappy liblz4 libbrotlidec'

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_provided() {
  # pkgconf is Debian's newer name for the same tool.
  is_installed "$1" || { [ "$1" = pkg-config ] && is_installed pkgconf; }
}

install_missing() {
  missing=
  for package in $packages; do
    is_provided "$package" || missing="$missing $package"
  done
  if [ -z "$missing" ]; then
    say "Debian packages: all installed ($packages)"
    return
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "not root and no sudo; as root run: apt-get install$missing"
    as_root=sudo
  fi
  say "Installing Debian packages:$missing"
  # shellcheck disable=SC2086  # the lists are words
  {
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -q -o DPkg::Lock::Timeout=300 update
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
  } </dev/null
}

check_libraries() {
  for library in $libraries; do
    pkg-config --exists "$library" || fail "pkg-config finds no $library; install its headers"
  done
  say "Libraries: $libraries"
}

check_swift() {
  command -v swift >/dev/null ||
    fail "no Swift toolchain on PATH; install Swift 6.2 or newer: https://www.swift.org/install"
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p')
  major=${version%%.*}
  minor=${version#*.}
  if [ "${major:-0}" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 2 ]; }; then
    fail "Swift ${version:-of unknown version} found, 6.2 or newer needed"
  fi
  say "Swift $version"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  install_missing
fi
check_libraries
check_swift
