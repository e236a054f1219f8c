# Progress and limits for the other scripts. Sourced, never run.

say() { printf 'e2e: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# limited SECONDS WHAT COMMAND…: says what starts, bounds it, and says how long it took.
limited() {
  local seconds=$1 what=$2 began=$SECONDS rc=0
  shift 2
  say "$what …"
  timeout --kill-after=20 "$seconds" "$@" </dev/null &
  LIMITED_PID=$!   # in the background, so that a signal to this shell is acted on at once
  wait "$LIMITED_PID" || rc=$?
  LIMITED_PID=
  if [ "$rc" -eq 124 ]; then say "$what: stopped, over ${seconds}s"; fi
  if [ "$rc" -eq 0 ]; then say "$what: done in $((SECONDS - began))s"; else say "$what: failed ($rc)"; fi
  return "$rc"
}
