#!/bin/sh
# Installs or upgrades varve on Debian 12 or newer, or 64-bit Raspberry Pi OS, from the files of a release.
# May be run again: what is there already is left as it is, a changed configuration is never overwritten.
#
#   sudo ./install.sh [--start|--no-start] [DIRECTORY]
#
# DIRECTORY holds varve_*.deb (default: the directory of this script, then ../dist).
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf 'Cannot install varve: %s\n' "$*" >&2; exit 1; }

start=yes
from=''
for argument in "$@"; do
  case $argument in
    --start) start=yes ;;
    --no-start) start=no ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) fail "unknown option $argument" ;;
    *) from=$argument ;;
  esac
done

[ "$(id -u)" = 0 ] || fail 'not root; use sudo'
command -v dpkg >/dev/null || fail 'no dpkg: this is for Debian and Raspberry Pi OS'

architecture=$(dpkg --print-architecture)
case $architecture in
  amd64 | arm64) ;;
  armhf) fail 'a 32-bit system; varve needs the 64-bit Raspberry Pi OS (Pi 3, 4, 5 and Zero 2 W run it)' ;;
  *) fail "no build for $architecture" ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
deb=''
for directory in ${from:+"$from"} "$here" "$here/../dist"; do
  for file in "$directory"/varve_*_"$architecture".deb; do
    if [ -f "$file" ]; then deb=$file; fi
  done
  if [ -n "$deb" ]; then break; fi
done
[ -n "$deb" ] || fail "no varve_*_$architecture.deb in ${from:-$here}"

wanted=$(dpkg-deb -f "$deb" Version)
installed=$(dpkg-query -W -f '${Status} ${Version}' varve 2>/dev/null || true)
if [ "$installed" = "install ok installed $wanted" ]; then
  say "varve $wanted is installed"
else
  # apt resolves dependencies; an absolute path makes it read the file. conffiles: the owner's stays.
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$(readlink -f "$deb")"
fi

# A journal commit every 5 s costs more than the data: 6-8 KB a sync with ext4's default, 4.1-4.4 KB with
# commit=60 (measured). It is the owner's file system, so it is only said.
mounted=$(findmnt -no FSTYPE,OPTIONS -T /var/lib 2>/dev/null || true)
case $mounted in
  ext4*commit=* | xfs*) ;;
  ext4*) say 'Advice: the mount option commit=60 halves what small syncs write (see raspberry-pi.md)' ;;
  btrfs*) say 'Warning: btrfs writes 74-90 KB for each small sync; put /var/lib/varve on ext4 or xfs' ;;
esac

if [ -d /run/systemd/system ]; then
  if [ "$start" = yes ]; then
    systemctl enable --now varve.service
    systemctl --no-pager --lines=0 status varve.service
  else
    systemctl disable --now varve.service
    say 'installed, not started: systemctl enable --now varve'
  fi
else
  say 'systemd does not run here; start it by: varve serve --config /etc/varve/varve.toml'
fi
