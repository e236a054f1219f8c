# A PostgreSQL cluster for one run: loopback, trust, in the run's own folder. Sourced by `run`.
# Never touches a cluster that is there already.

# PostgreSQL refuses to run as root: then its own user does.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid="$PG_USER" --regid="$PG_USER" --clear-groups --inh-caps=-all env HOME="$PG_DIR" "$@"
  else
    "$@"
  fi
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

postgres_start() {
  local try counting=
  PG_BIN=$(postgres_bin)
  PG_DIR=$E2E_WORK/postgres
  PG_USER=postgres
  if [ "$(id -u)" -eq 0 ] && ! id -u "$PG_USER" >/dev/null 2>&1; then PG_USER=nobody; fi
  # Statements are counted where that can be: it is a part of PostgreSQL that some packages leave out.
  if [ -e "$PG_BIN/../lib/pg_stat_statements.so" ]; then counting="-c shared_preload_libraries=pg_stat_statements"; fi
  mkdir -p "$PG_DIR"
  if [ "$(id -u)" -eq 0 ]; then chown "$PG_USER" "$PG_DIR"; fi
  (cd "$PG_DIR" && as_postgres timeout 120 "$PG_BIN/initdb" --pgdata="$PG_DIR/data" --username=postgres \
    --auth=trust --encoding=UTF8 --locale=C --no-sync >"$E2E_WORK/initdb.log" 2>&1) \
    || { cat "$E2E_WORK/initdb.log" >&2; die "initdb failed"; }
  for try in 1 2 3 4 5; do
    PG_PORT=$(free_port)
    if (cd "$PG_DIR" && as_postgres timeout 90 "$PG_BIN/pg_ctl" --pgdata="$PG_DIR/data" --log="$PG_DIR/server.log" \
      --wait --timeout=60 --silent \
      -o "-c listen_addresses=127.0.0.1 -c port=$PG_PORT -c unix_socket_directories=$PG_DIR -c fsync=off -c max_connections=200 $counting" \
      start </dev/null >"$E2E_WORK/pg_ctl.log" 2>&1); then
      export PG_BIN PG_DIR PG_PORT
      export CLAVIGER_TEST_POSTGRES="postgres://postgres@127.0.0.1:$PG_PORT/postgres"
      say "PostgreSQL $("$PG_BIN/postgres" --version | sed 's/.* \([0-9.]*\).*/\1/') on port $PG_PORT, as user $([ "$(id -u)" -eq 0 ] && echo "$PG_USER" || id -un) (try $try)"
      return
    fi
  done
  tail -n 20 "$PG_DIR/server.log" >&2 || true
  die "PostgreSQL did not start"
}

postgres_stop() {
  [ -n "${PG_DIR:-}" ] && [ -s "$PG_DIR/data/postmaster.pid" ] || return 0
  (cd "$PG_DIR" && as_postgres timeout 60 "$PG_BIN/pg_ctl" --pgdata="$PG_DIR/data" --mode=immediate --silent --timeout=40 stop \
    </dev/null >/dev/null 2>&1) || say "PostgreSQL did not stop by itself"
}
