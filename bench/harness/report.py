"""The result as Markdown. Each figure is the median of the rounds; "of nginx" is the median of the rounds' own ratios."""

from statistics import median

from . import proxies

NONE = "–"
# What the proxy is held to, beside nginx with its access log.
MARKS = "of nginx with its access log, in the same run"


def write(facts, results):
    """The whole report, of those parts that were run."""
    lines = [f"- {what}: {which}" for what, which in facts] + [""]
    for title, part in (
            ("Side by side", _side_by_side), ("The marks", _marks), ("Bodies and connections", _matrix), ("Many stored connections", _scale),
            ("Filling", _filled), ("The connect flow, browsers one after another", _flows)):
        found = part(results)
        if found:
            lines += [f"### {title}", "", *found, ""]
    return "\n".join(lines)


def _side_by_side(results):
    names = results["names"]
    thrown = results.get("throughput", {}).get(("1kB", 64), {})
    paced, streamed, started = results.get("latency", {}), results.get("streams", {}), results.get("start", {})
    if not (thrown or paced or streamed or started):
        return []
    rate = f" at {results['rate']}/s" if results.get("rate") else ""
    rows = [("", "requests/s", "of nginx", "CPU µs per request", "of nginx", "core busy", f"p50 ms{rate}", "p99 ms", "p99.9 ms",
             "10 MB × 64: MB/s", "of nginx", "RSS then, MiB", "RSS idle, MiB", "first answer, s")]
    for name in names if thrown else names[1:]:
        began, idle = started.get(name, ([], []))
        times = [_f(paced.get(name), which, "{:.2f}", 1000) for which in ("p50", "p99", "p999")]
        rows.append((
            name, _f(thrown.get(name), "per_second", "{:.0f}"), _of(thrown, name, "per_second"), *_cpu(thrown, name), *times,
            _f(streamed.get(name), "megabytes", "{:.0f}"), _of(streamed, name, "megabytes"), _f(streamed.get(name), "memory", "{:.0f}"),
            f"{median(idle):.0f}" if idle else NONE, f"{median(began):.2f}" if began else NONE))
    told = ["1 kB bodies, 64 connections, as fast as the answers come; then a fixed rate, half of that at which nginx is saturated, each call's "
            "time counted from when it was to begin; then 64 bodies of 10 MB at once.", ""]
    return told + _table(rows)


def _cpu(thrown, name):
    """Nothing where there is no proxy: the process that is measured there is the upstream."""
    if name == proxies.NONE:
        return NONE, NONE, NONE
    return _f(thrown.get(name), "cpu", "{:.1f}"), _of(thrown, name, "cpu"), _f(thrown.get(name), "busy", "{:.0%}")


def _marks(results):
    thrown, paced = results.get("throughput", {}).get(("1kB", 64), {}), results.get("latency", {})
    streamed, started, scaled = results.get("streams", {}), results.get("start", {}), results.get("scale", {})
    rows = [("Claviger on SQLite", "figure", "mark")]
    for what, figures, field, mark in (
            ("CPU per request, of nginx's", thrown, "cpu", "≤ 1.15"), ("requests/s, of nginx's", thrown, "per_second", "≥ 0.9"),
            ("p99 at the fixed rate, of nginx's", paced, "p99", "≤ 1.5"), ("10 MB streams, MB/s, of nginx's", streamed, "megabytes", "≥ 0.9")):
        if figures.get("Claviger"):
            rows.append((what, _of(figures, "Claviger", field), mark))
    if streamed.get("Claviger"):
        rows.append(("RSS with 64 streams of 10 MB, MiB", _f(streamed["Claviger"], "memory", "{:.0f}"), "≤ 100"))
    if started.get("Claviger"):
        began, idle = started["Claviger"]
        rows += [("RSS idle, MiB", f"{median(idle):.0f}", "≤ 30"), ("first proxied answer, s", f"{median(began):.2f}", "≤ 0.3")]
    hot, alone = scaled.get(("sqlite", "hot"), {}), scaled.get(("sqlite", "alone"), {})
    if hot.get("1000") and hot.get("1000000"):
        rows.append(("requests/s on hits, 1 M stored, of 1 k stored", _of(hot, "1000000", "per_second", "1000"), "≥ 0.95"))
        rows.append(("RSS with 1 M stored, MiB", _f(hot["1000000"], "memory", "{:.0f}"), "≤ 150"))
        rows.append(("p99 of calls one at a time, each to another connection of 1 M, ms", _f(alone.get("1000000"), "p99", "{:.2f}", 1000), "≤ 3"))
    return ["Against the figures " + MARKS + ".", "", *_table(rows)] if len(rows) > 1 else []


def _matrix(results):
    found, lines = results.get("throughput", {}), []
    for body in dict.fromkeys(body for body, _ in found):
        many = [count for which, count in found if which == body]
        unit = "requests/s" if body == "1kB" else "MB/s"
        rows = [(body, *[f"{count}: {unit}" if not at else f"{count}: CPU µs" for count in many for at in (0, 1)])]
        for name in results["names"]:
            cells = []
            for count in many:
                figures = found[body, count].get(name)
                cells.append(_f(figures, "per_second" if body == "1kB" else "megabytes", "{:.0f}"))
                cells.append(NONE if name == proxies.NONE else _f(figures, "cpu", "{:.1f}" if body == "1kB" else "{:.0f}"))
            rows.append((name, *cells))
        lines += _table(rows) + [""]
    told = "By number of connections to the proxy: how much goes through, and CPU µs of the proxy for each request."
    return [told, "", *lines[:-1]] if lines else []


def _scale(results):
    found = results.get("scale", {})
    if not found:
        return []
    rows = [("database, access", "stored", "requests/s", "CPU µs per request", "p50 ms", "p99 ms", "hit rate", "RSS, MiB")]
    says = {"hot": "1000 of them, 64 at a time", "zipf": "Zipf (s = 1.2), 64 at a time", "uniform": "uniform, 64 at a time",
            "alone": "each another, one at a time"}
    for (kind, pattern), by_count in found.items():
        for count, figures in by_count.items():
            rows.append((f"{kind}, {says[pattern]}", count, _f(figures, "per_second", "{:.0f}"), _f(figures, "cpu", "{:.1f}"),
                         _f(figures, "p50", "{:.2f}", 1000), _f(figures, "p99", "{:.2f}", 1000), _hits(figures), _f(figures, "memory", "{:.0f}")))
    return _table(rows)


def _filled(results):
    rows = [("`claviger seed`, connections", "database", "s")]
    rows += [(str(count), kind, f"{took:.0f}") for (kind, count), took in results.get("seeded", {}).items() if count > 1000]
    return _table(rows) if len(rows) > 1 else []


def _flows(results):
    figures = results.get("connect")
    if not figures:
        return []
    rows = [("flows", "flows/s", "p50 ms", "p99 ms", "Claviger's CPU µs per flow", "sandbox's CPU µs per flow")]
    rows.append((str(sum(f.count for f in figures)), _f(figures, "per_second", "{:.0f}"), _f(figures, "p50", "{:.2f}", 1000),
                 _f(figures, "p99", "{:.2f}", 1000), _f(figures, "cpu", "{:.0f}"), _f(figures, "sandbox_cpu", "{:.0f}")))
    return _table(rows)


def _f(figures, field, form, divide=1):
    return form.format(median(getattr(f, field) for f in figures) / divide) if figures else NONE


def _of(found, name, field, other="nginx"):
    """Round by round, of what the other one had in that round."""
    pairs = list(zip(found.get(name) or [], found.get(other) or []))
    return f"{median(getattr(one, field) / getattr(two, field) for one, two in pairs if getattr(two, field)):.2f}" if pairs else NONE


def _hits(figures):
    told = [f.hits for f in figures or [] if f.hits and sum(f.hits)]
    return f"{median(hits / (hits + misses) for hits, misses in told):.1%}" if told else NONE


def _table(rows):
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|---" + "|--:" * (len(rows[0]) - 1) + "|", *body]
