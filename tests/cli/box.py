"""A folder of its own for each case, the command run in it, and what came out."""
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

# Nothing here takes long; what takes this long hangs.
PATIENCE_S = 60

CASES = []  # (name, function), in the order of the files


def case(function):
    """A test case; its name is the function's. It is called with a Box."""
    CASES.append((function.__name__.replace("_", " "), function))
    return function


def expect_equal(got, wanted, what="output"):
    if got != wanted:
        raise tap.Failed(f"{what}:\n  got    {got!r}\n  wanted {wanted!r}")


def expect_in(part, whole, what="output"):
    if part not in whole:
        raise tap.Failed(f"{what}: {part!r} is not in {whole!r}")


class Done:
    """A command that has ended."""

    def __init__(self, words, status, out, err):
        self.words, self.status = words, status
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")

    def expect(self, status=0, out=None, err=None):
        """The status, and what is exactly on stdout and on stderr. A success says nothing on stderr by default."""
        told = f"{self.words}\n  status {self.status}\n  out {self.out!r}\n  err {self.err!r}"
        if self.status != status:
            raise tap.Failed(f"status {status} was wanted: {told}")
        if out is not None and self.out != out:
            raise tap.Failed(f"stdout {out!r} was wanted: {told}")
        if err is None and status == 0:
            err = ""
        if err is not None and self.err != err:
            raise tap.Failed(f"stderr {err!r} was wanted: {told}")
        if status != 0 and (self.err.count("\n") != 1 or not self.err.startswith("resqlite: ")):
            raise tap.Failed(f"one line on stderr was wanted: {told}")
        return self


class Box:
    def __init__(self, command, cities, folder):
        self.command = command
        self.cities = cities  # path of cities.json, or None
        self.folder = pathlib.Path(folder)

    def path(self, name):
        return self.folder / name

    def write(self, name, content):
        data = content if isinstance(content, bytes) else content.encode()
        self.path(name).write_bytes(data)
        return name

    def environment(self, extra=None):
        env = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LANG", "NO_COLOR", "TMPDIR")}
        env.update(LC_ALL="C.UTF-8", TZ="UTC", TERM="xterm")
        env.update(extra or {})
        return env

    def run(self, *words, stdin=b"", env=None, **options):
        """Run the command to its end, in the box's folder."""
        words = [w if isinstance(w, bytes) else str(w) for w in words]
        if "stdout" not in options:
            options["stdout"] = subprocess.PIPE
        done = subprocess.run(
            [self.command, *words], input=stdin, stderr=subprocess.PIPE, cwd=self.folder,
            env=self.environment(env), timeout=PATIENCE_S, check=False, **options,
        )
        return Done(words, done.returncode, done.stdout or b"", done.stderr)

    def query(self, sql, *words, db="t.db"):
        """JSON text of a query that must work."""
        return self.run("query", db, sql, "--json", *words).expect().out.rstrip("\n")

    def exec(self, sql, *words, db="t.db"):
        return self.run("exec", db, sql, *words).expect()

    def start(self, *words, **options):
        """Start the command and return the running process; its pipes are unbuffered bytes."""
        return subprocess.Popen(
            [self.command, *map(str, words)], cwd=self.folder, env=self.environment(), bufsize=0, **options
        )


def read_until(fd, is_enough, so_far=b""):
    """Bytes of a descriptor up to the moment they satisfy `is_enough`, or its end."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_enough(so_far):
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise tap.Failed(f"waited in vain; so far: {so_far!r}")
        try:
            block = os.read(fd, 65536)
        except OSError:  # a terminal whose other side is closed
            block = b""
        if not block:
            return so_far
        so_far += block
    return so_far


def main(command, cities):
    def bind(function):
        def run_in_a_box():
            with tempfile.TemporaryDirectory(prefix="resqlite-cli-") as folder:
                function(Box(os.path.abspath(command), cities and os.path.abspath(cities), folder))
        return run_in_a_box

    tap.main([(name, bind(function)) for name, function in CASES])
