"""What a soak has to answer for at its end: each line of `faults` is something that must not be."""

import collections
import datetime
import math
import re
import time

from .crowd import CUT, WORKED

REASON = re.compile(r"^a refresh was sent at (\S+) and no answer to it was ever stored; .+")
JUST_NOW = 10  # seconds
LAST = 12      # refreshes that are told of a connection
WELL = ("renewed", "late")
TOLD = 40      # seconds in which a provider that can say tells what became of a token: twice as long as it is left alone
WORKING = 0.9  # of the calls that could work
INTENTS = "select id, connection_id, sent_at, unknown_at, closed_at, outcome, token_hash, tries, fence from refresh_intent"
CHANGES = "select connection_id, kind, created_at from event where kind in ('connection.expired', 'connection.updated') order by created_at, id"


def faults(soak):
    """Everything that is wrong."""
    return [*soak.failed, *soak.chaos.failed, *tokens(soak), *intents(soak), *calls(soak), *reasons(soak), *afterwards(soak)]


def tokens(soak):
    """The provider's own log: no refresh token was sent outside its rule."""
    for provider in soak.providers:
        yield from (f"sent outside the rule: {line}" for line in provider.trespasses())
        sent = provider.sent()
        if not sent:
            yield f"{provider.key} saw no refresh at all"
        yield from (f"{provider.key}: {token[:12]} was sent {times} times, at most {provider.most} are right"
                    for token, times in sent.items() if times > provider.most)


def intents(soak):
    """Each kill or freeze between intent and commit is one row with an unknown outcome, and there is no other such row."""
    rows = {row[0]: row for row in soak.fleet.look.rows(INTENTS)}
    unknown = {i for i, row in rows.items() if row[3] is not None}
    broken = [(i, deed) for deed in soak.chaos.deeds for i in deed.between]
    for i, deed in broken:
        if deed.what == "kill" and i not in unknown:
            yield f"a kill of node {deed.node} at {deed.began:.3f} broke {describe(rows, i)}, and it is not unknown"
    for i in sorted(unknown - {i for i, _ in broken}):
        # A frozen node may have been about to write the intent: it did so when it went on.
        sent = int(rows[i][2]) / 1000
        if not any(not deed.whole and deed.began - 1 <= sent <= deed.until + 1 for deed in soak.chaos.deeds):
            yield f"unknown, and neither a kill nor a freeze explains it: {describe(rows, i)}; {history(soak, rows[i][1])}"
    killed = collections.Counter(i for i, deed in broken if deed.what == "kill")
    yield from (f"{n} kills broke one intent: {describe(rows, i)}" for i, n in killed.items() if n > 1)
    # What was sent just now is an ordinary refresh, by whoever looks ahead.
    yield from (f"open at the end: {describe(rows, i)}" for i, row in rows.items()
                if row[4] is None and (row[3] is not None or time.time() - int(row[2]) / 1000 > JUST_NOW))
    yield from (f"closed without an outcome: {describe(rows, i)}" for i, row in rows.items() if row[4] is not None and row[5] is None)


def describe(rows, i):
    names = ("connection", "sent", "unknown", "closed", "outcome", "token", "tries", "fence")
    row = rows.get(i)
    return f"{i} " + (", ".join(f"{n} {v}" for n, v in zip(names, row[1:])) if row else "(gone)")


def calls(soak):
    """Every caller got a working token or a clear error, unless the node was killed under its call."""
    yield from (f"{n} calls were told {told!r}, such as {list(soak.crowd.texts[told].values())}" for told, n in soak.crowd.unclear().items())
    could = workable(soak)
    if could[WORKED] < max(1, WORKING * sum(could.values())):
        yield f"few calls worked of those that could: {dict(could)}"
    yield from (f"never more than {soak.crowd.most[c]} of {callers} callers at once for {soak.name(c)}"
                for c, callers in soak.crowd.connections.items() if soak.crowd.most[c] < 0.5 * callers)


def workable(soak):
    """What those calls were told that could work: between their beginning and their end their node was neither killed nor
    frozen, and at no time their connection waited for its owner, or for its provider to tell what became of a token."""
    freezes = collections.defaultdict(list)
    for deed in soak.chaos.deeds:
        if deed.what == "freeze":
            freezes[deed.node].append((deed.began, deed.until))
    waits, since = collections.defaultdict(list), {}
    for connection, kind, at in soak.fleet.look.rows(CHANGES):
        if kind == "connection.expired":
            since.setdefault(connection, int(at) / 1000)
        elif connection in since:  # an event's time is when what it tells began; it is true when somebody sees it
            seen = next((seen for seen in soak.active[connection] if seen >= int(at) / 1000), math.inf)
            waits[connection].append((since.pop(connection), seen))
    for connection, at in since.items():
        waits[connection].append((at, math.inf))
    for _, connection, _, unknown, closed, *_ in soak.fleet.look.rows(INTENTS):
        if unknown is not None:
            until = int(unknown) / 1000 + TOLD
            waits[connection].append((int(unknown) / 1000, min(until, int(closed) / 1000) if closed else until))
    return collections.Counter(call.told for call in soak.crowd.calls if call.told != CUT and not any(
        began < call.ended and call.began < ended for began, ended in waits[call.connection] + freezes[call.node]))


def reasons(soak):
    """Nobody had to authorize anything again but where a refresh with an unknown outcome explains it, and says so."""
    for connection, reason, refreshes in soak.lost:
        told = REASON.match(reason or "")
        wrong = unexplained(instant(told[1]), refreshes) if told else "the reason is not a lost answer"
        if wrong:
            yield f"{soak.name(connection)} needs its owner ({reason!r}), and {wrong}; {history(soak, connection)}"


def unexplained(at, refreshes):
    """Why the refresh that was sent at this moment does not explain that there is no token: `None` when it does, for its outcome
    is unknown and none went well that was sent later. The refreshes are the last ones, the newest first."""
    for sent, unknown, outcome in refreshes:
        if outcome in WELL:
            return f"the refresh that was sent at {sent} went well"
        if int(sent) == at:
            return None if unknown is not None else "that one is not unknown"
    return "no refresh was sent then"


def history(soak, connection):
    """The last refreshes of a connection, and what was done to nodes meanwhile."""
    rows = {row[0]: row for row in soak.fleet.look.rows(f"{INTENTS} where connection_id = '{connection}' order by sent_at")}
    last = list(rows)[-LAST:]
    since = min((int(rows[i][2]) / 1000 for i in last), default=0)
    deeds = [f"  {d.what} of node {d.node} from {d.began:.3f} to {d.until:.3f}, {'' if d.whole else 'in a transaction, '}between "
             f"{', '.join(i for i in last if i in d.between) or 'nothing of this'}" for d in soak.chaos.deeds if d.until >= since]
    return "\n".join(["its refreshes were", *(f"  {describe(rows, i)}" for i in last), *deeds])


def instant(text):
    """In milliseconds."""
    return round(datetime.datetime.fromisoformat(text.rstrip(";,").replace("Z", "+00:00")).timestamp() * 1000)


def afterwards(soak):
    """When it is over, everything works through every node."""
    yield from (f"afterwards {key} answers {status} through node {node}" for (node, key), status in soak.works().items() if status != 200)
    rows = soak.fleet.look.rows("select id, status, status_reason from connection where status <> 'active'")
    yield from (f"afterwards: {row}" for row in rows)


def report(soak):
    """The figures, for people."""
    rows = soak.fleet.look.rows(INTENTS)
    outcomes = collections.Counter(row[5] or "open" for row in rows)
    resolved = collections.Counter(row[5] or "open" for row in rows if row[3] is not None)
    broke = {what: sum(len(d.between) for d in soak.chaos.deeds if d.what == what) for what in ("kill", "freeze")}
    doubted = sum(len(d.doubted) for d in soak.chaos.deeds)
    p50, p99, most = soak.crowd.slowest(50, 99, 100)
    answers, could = soak.crowd.answers, workable(soak)
    lines = [
        f"{soak.kind}, {len(soak.fleet.nodes)} node(s), {len(soak.connections)} connections at {', '.join(p.key for p in soak.providers)}; seed {soak.seed}; {soak.lasted:.0f} s, "
        f"settled in {soak.settled_in:.1f} s; {soak.each} callers for each crowded one, the machine {soak.slow:.1f} times as slow as it may be",
        f"  {soak.chaos.count('kill')} kills, {broke['kill']} intents broken between intent and commit; "
        f"{soak.chaos.count('freeze')} freezes, {broke['freeze']} intents, {doubted} of them taken over meanwhile",
        f"  {len(rows)} refreshes: {counted(outcomes)}; {sum(resolved.values())} unknown, in the end {counted(resolved)}",
        f"  authorized again {soak.again} times; needing it was seen {len(soak.lost)} times",
        f"  {sum(answers.values())} calls: {counted(answers)}; p50 {p50:.2f} s, p99 {p99:.2f} s, longest {most:.2f} s; "
        f"at most {max(soak.crowd.most.values())} at once for one connection",
        f"  {100 * could[WORKED] / max(1, sum(could.values())):.1f} % worked of the {sum(could.values())} that could: whose node was left alone and whose connection waited neither for its owner nor for word of a token",
        "  " + "; ".join(f"{p.key} saw {sum(p.sent().values())} sendings of {len(p.sent())} tokens" for p in soak.providers),
    ]
    if hasattr(soak.load, "rates"):
        lines.append(f"  database: {', '.join(f'{n} {what}/s' for what, n in soak.load.rates.items())}")
    return "\n".join(lines)


def counted(counter):
    return ", ".join(f"{n} {what}" for what, n in counter.most_common()) or "none"

