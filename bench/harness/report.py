"""The result as Markdown. Each figure is the median of the rounds."""

from statistics import median

from .stage import SIZE


def write(facts, how, called, flowed, stage, logged):
    """The whole report. `called` maps (connections, route name) to figures, one per round."""
    lines = ["# Benchmark", "", *(f"- {what}: {which}" for what, which in facts), f"- run: {how}", ""]
    for connections in sorted({connections for connections, _ in called}, reverse=True):
        rounds = {name: figures for (c, name), figures in called.items() if c == connections}
        lines += [f"## GET of {SIZE} bytes, {connections} connection{'s' if connections > 1 else ''}", "", *_calls(rounds), ""]
    lines += ["## The connect flow, browsers one after another", "", *_flows(flowed), ""]
    lines += [f"{logged} Peak memory of the Claviger process: {stage.claviger.peak_memory():.0f} MiB.", ""]
    return "\n".join(lines)


def _calls(rounds):
    base = rounds["direct"]
    rows = [("route", "requests/s", "lowest to highest", "of direct", "p50 ms", "p99 ms", "CPU µs per request",
             "sandbox's CPU µs per request")]
    for name, figures in rounds.items():
        speeds = [f.per_second for f in figures]
        rows.append((
            name, f"{median(speeds):.0f}", f"{min(speeds):.0f} to {max(speeds):.0f}",
            f"{median(speeds) / median(f.per_second for f in base):.2f}", *_times(figures),
            "–" if name == "direct" else f"{median(f.cpu for f in figures):.0f}", f"{median(f.sandbox_cpu for f in figures):.0f}"))
    return _table(rows)


def _flows(figures):
    rows = [("flows", "flows/s", "p50 ms", "p99 ms", "Claviger's CPU µs per flow", "sandbox's CPU µs per flow")]
    rows.append((str(sum(f.count for f in figures)), f"{median(f.per_second for f in figures):.0f}", *_times(figures),
                 f"{median(f.cpu for f in figures):.0f}", f"{median(f.sandbox_cpu for f in figures):.0f}"))
    return _table(rows)


def _times(figures):
    return [f"{median(getattr(f, which) for f in figures) / 1000:.2f}" for which in ("p50", "p99")]


def _table(rows):
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|---" + "|--:" * (len(rows[0]) - 1) + "|", *body]
