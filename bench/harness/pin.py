"""Who runs on which core. Every proxy is given the same cores, and all that it works with the others."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Pins:
    """Cores of the proxies, and of load generators, upstream and databases."""

    proxy: tuple
    others: tuple

    def said(self):
        if self.proxy == self.others:
            return f"everything shares the cores {_list(self.proxy)}"
        return (f"each proxy alone on {'core' if len(self.proxy) == 1 else 'cores'} {_list(self.proxy)}; "
                f"generator, upstream and PostgreSQL on {_list(self.others)}")


def choose(shared):
    """Half of the cores for the proxy, the other half for all else; with `shared`, or one core, all for all."""
    cores = tuple(sorted(os.sched_getaffinity(0)))
    if shared or len(cores) < 2:
        return Pins(cores, cores)
    return Pins(cores[:len(cores) // 2], cores[len(cores) // 2:])


def to(cores, argv):
    """The command on these cores and no others."""
    return ["taskset", "-c", _list(cores).replace(" ", ""), *map(str, argv)]


def _list(cores):
    return ", ".join(map(str, cores))
