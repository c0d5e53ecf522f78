#!/usr/bin/env python3
"""Each adapter's header compiles alone, as C99, C11 and C++17, without a warning of ours.

    headers.py HEADER_TEST INCLUDE_DIR PKG_CONFIG ADAPTERS COMPILER...

HEADER_TEST is the folder of header.py, the test of resqlite.h, which has the warnings, languages and
compilers. ADAPTERS are `name` or `name:package`, joined by commas. The headers of a loop are a system's
headers to the compiler: what it thinks of them is not ours to say.
"""
import pathlib
import shlex
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, sys.argv[1])
import header
import tap

INCLUDE_DIR, PKG_CONFIG, ADAPTERS = sys.argv[2:5]
COMPILER = sys.argv[5:]

# One function that uses all of an adapter, with the type of its loop.
PROGRAM = """
#include <resqlite/{name}.h>
int use({loop}, rsq_queue *queue);
int use({loop}, rsq_queue *queue)
{{
    rsq_{prefix}_source source;
    int rc = {attach};
    source.max = 1;
    {turn}
    rsq_{prefix}_detach(&source);
    return rc;
}}
"""
PARTS = {
    "poll": {
        "loop": "struct pollfd *slot",
        "attach": "rsq_poll_attach(&source, queue)",
        "turn": "rsq_poll_fill(&source, slot); if (rsq_poll_dispatch(&source, slot)) rc = 1;",
    },
    "epoll": {
        "loop": "int epfd",
        "attach": "0; epoll_data_t data; data.ptr = &source; rc = rsq_epoll_attach(&source, epfd, queue, data)",
        "turn": "if (rsq_epoll_dispatch(&source)) rc = 1;",
    },
    "uv": {"loop": "uv_loop_t *loop"},
    "glib": {"loop": "GMainContext *loop"},
    "event": {"loop": "struct event_base *loop"},
    "sd_event": {"loop": "sd_event *loop", "prefix": "sd"},
}
# <uv.h> needs names that plain C hides.
DEFINITIONS = {"uv": ["-D_POSIX_C_SOURCE=200809L"]}


def program(name):
    parts = {"name": name, "prefix": name, "turn": "", **PARTS[name]}
    parts.setdefault("attach", f"rsq_{parts['prefix']}_attach(&source, loop, queue)")
    return PROGRAM.format(**parts)


def system_flags(package):
    """What pkg-config says, with folders of headers as a system's."""
    if not package:
        return []
    flags = shlex.split(tap.run_command(PKG_CONFIG, "--cflags", package))
    return [part for flag in flags for part in (["-isystem", flag[2:]] if flag.startswith("-I") else [flag])]


def case(name, package, standard, language, warnings):
    def check():
        found = header.compilers(language, COMPILER)
        if not found:
            raise tap.Skip(f"no {language} compiler")
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / ("alone.c" if language == "c" else "alone.cpp")
            source.write_text(program(name))
            for compiler in found:
                tap.run_command(
                    *compiler, f"-std={standard}", *warnings, *DEFINITIONS.get(name, []), *system_flags(package),
                    f"-I{INCLUDE_DIR}", "-fsyntax-only", source,
                )

    return check


def main():
    cases = []
    for adapter in ADAPTERS.split(","):
        name, _, package = adapter.partition(":")
        for standard, language, warnings in header.STANDARDS:
            cases.append(
                (f"resqlite/{name}.h alone as {standard}", case(name, package, standard, language, warnings))
            )
    tap.main(cases)


if __name__ == "__main__":
    main()
