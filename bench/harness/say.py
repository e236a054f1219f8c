"""What the benchmark says while it works, on stderr, and how it gives up."""

import os
import signal
import subprocess
import sys
import time


class GiveUp(Exception):
    """The benchmark can't go on; its text says why."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def limited(seconds, what, argv, show=True, **kwargs):
    """Runs a command that may take long: says so, ends it and its children after `seconds`, fails by name.

    With `show` its output is the reader's to see; without, the end of it is shown when it fails.
    """
    say(f"{what} (at most {seconds} s) …")
    began = time.monotonic()
    out = sys.stderr if show else subprocess.PIPE
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT if not show else sys.stderr,
                             text=True, start_new_session=True, **kwargs)
    try:
        said, _ = child.communicate(timeout=seconds)
    except BaseException as error:
        # The group is the child's own: it was started as its leader and has not been waited for.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise GiveUp(f"{what}: not done after {seconds} s") from None
        raise
    if child.returncode != 0:
        raise GiveUp(f"{what}: failed ({child.returncode})\n{(said or '')[-2000:]}".rstrip())
    say(f"{what}: done in {time.monotonic() - began:.0f} s")
