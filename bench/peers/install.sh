#!/bin/sh
# Install the libraries that rsq-bench compares with; see docs/benchmarks.md.
#
# The npm ones are those of package-lock.json, pinned by hash. better-sqlite3 is compiled here, with the headers of
# the Node that is installed; nothing ready-made is fetched for it. The others come from apt-get, as root or through
# sudo. What cannot be installed is said; rsq-bench then says it is missing, and measures the others.
set -u

cd "$(dirname "$0")"

status=0
stamp=node_modules/.resqlite-lock

say() {
    printf '%s\n' "$*" >&2
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_debian() {
    is_installed "$1" && return 0
    say "installing $1"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1" >&2
}

# The folder above include/node/node.h of the Node in the path; nothing if it has no headers beside it.
node_prefix() {
    prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
    [ -f "$prefix/include/node/node.h" ] && printf '%s' "$prefix"
}

install_npm() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(sha256sum package-lock.json)" ] && return 0
    say "installing the npm packages of bench/peers/package-lock.json"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || return 1
    say "compiling better-sqlite3"
    prefix=$(node_prefix)
    # The headers are those of the system; without them npm would fetch some.
    [ -n "$prefix" ] && export npm_config_nodedir="$prefix"
    npm_config_build_from_source=true npm rebuild --no-audit --no-fund --loglevel=error better-sqlite3 >&2 || return 1
    sha256sum package-lock.json >"$stamp"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    install_debian python3-aiosqlite || { say "error: no python3-aiosqlite"; status=1; }
    install_debian libsqlitecpp-dev || { say "error: no libsqlitecpp-dev"; status=1; }
else
    say "no apt-get here: aiosqlite (for /usr/bin/python3) and SQLiteCpp are yours to install"
fi
if command -v node >/dev/null && command -v npm >/dev/null; then
    install_npm || { say "error: the npm packages cannot be installed"; status=1; }
else
    say "error: no node, or no npm: better-sqlite3 and PGlite need Node 20 or newer"
    status=1
fi
exit $status
