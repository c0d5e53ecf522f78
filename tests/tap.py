"""What the tests written in Python share: named cases, reported in TAP for Meson."""
import subprocess
import sys
import traceback


class Skip(Exception):
    """Raised by a case that cannot run here; the text says why."""


class Failed(Exception):
    """Raised by a case; the text is shown below its name, line by line."""


def expect_none(problems):
    """Fail unless the list of problems, one line each, is empty."""
    if problems:
        raise Failed("\n".join(problems))


def run_command(*command, **options):
    """Output of a command (strings or paths); a command that fails is a failed case with all it printed."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise Failed(
            f"exit status {done.returncode}: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def main(cases):
    """Run [(name, function)]; a function passes by returning. Ends the program."""
    failed = False
    # What has been told stays told, whatever becomes of the program.
    sys.stdout.reconfigure(line_buffering=True)
    print(f"1..{len(cases)}")
    for number, (name, function) in enumerate(cases, 1):
        try:
            function()
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}")
            continue
        except Failed as why:
            detail = str(why)
        except Exception:  # a bug in the test is a failed case with its traceback
            detail = traceback.format_exc()
        else:
            print(f"ok {number} - {name}")
            continue
        failed = True
        print(f"not ok {number} - {name}")
        for line in detail.splitlines():
            print(f"#   {line}")
    sys.exit(failed)
