# shellcheck shell=bash disable=SC2015,SC2120
# What the scripts share; sourced by bash. Defines functions and $root, does nothing by itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages=(
  gcc clang cmake ninja-build pkg-config clang-format-14
  libuv1-dev libpq-dev libcurl4-openssl-dev libjansson-dev libssl-dev libcyaml-dev libyaml-dev libcmocka-dev
  libmicrohttpd-dev libprotobuf-c-dev protobuf-c-compiler
  postgresql pgbouncer nginx-light openssl curl prometheus chromium openjdk-17-jre-headless iproute2
)

say() { printf '\n== %s\n' "$*"; }

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Any server does: the packages have siblings that would get in each other's way.
package_is_there() {
  case $1 in
  postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
  nginx-light) [[ -x /usr/sbin/nginx ]] ;;
  prometheus) command -v promtool >/dev/null ;; # promtool checks the metrics and the alert rules
  *) [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]] ;;
  esac
}

# Installs what is missing of the packages given (all of them by default). Nothing missing: neither root nor network.
need_packages() {
  local name missing=()
  command -v dpkg-query >/dev/null || fail "this needs Debian 12 or a relative of it: there is no dpkg-query here"
  for name in "${@:-${packages[@]}}"; do
    package_is_there "$name" || missing+=("$name")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing ${missing[*]}"
  if [[ $EUID -eq 0 ]]; then
    "$root/scripts/install-packages" "${missing[@]}"
  elif command -v sudo >/dev/null; then
    sudo "$root/scripts/install-packages" "${missing[@]}"
  else
    fail "Debian packages are missing: run scripts/install-packages ${missing[*]} as root, then this again"
  fi
}

# configure DIR [CMAKE-ARGUMENT]...: a build folder below the root.
configure() {
  local dir=$1
  shift
  cmake -S "$root" -B "$root/$dir" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@"
}

# build DIR [TARGET]...: everything, or the targets named.
build() {
  local dir=$1
  shift
  cmake --build "$root/$dir" --parallel "$(nproc)" ${1:+--target "$@"}
}

# make_certificates DIR: an authority (ca.crt) and a certificate for 127.0.0.1 and localhost that it signed
# (server.crt, server.key). The authority's own key is not kept.
make_certificates() {
  local dir=$1 key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  mkdir -p "$dir"
  cat >"$dir/openssl.cnf" <<'CONF'
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
CONF
  openssl req -x509 "${key[@]}" -config "$dir/openssl.cnf" -extensions authority -subj "/CN=makegood test authority" \
    -days 30 -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>"$dir/openssl.log" &&
    openssl req -new "${key[@]}" -config "$dir/openssl.cnf" -keyout "$dir/server.key" -out "$dir/server.csr" \
      2>>"$dir/openssl.log" &&
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -set_serial 1 -days 30 \
      -extfile "$dir/openssl.cnf" -extensions server -out "$dir/server.crt" 2>>"$dir/openssl.log" ||
    fail "openssl could not make the certificates: $(tail -n 2 "$dir/openssl.log")"
  rm -f "$dir/ca.key" "$dir/server.csr" "$dir/openssl.cnf" "$dir/openssl.log"
}

# start_bank OUTPUT-FILE ARGUMENT...: starts build/'s bank and waits until it listens. Sets bank_pid and bank_port.
start_bank() {
  local output=$1 tries
  shift
  : >"$output"
  "$root/build/tests/bank/makegood-bank" "$@" >"$output" 2>&1 &
  bank_pid=$!
  for ((tries = 0; tries < 100; tries++)); do
    bank_port=$(sed -n 's/^listening on 127.0.0.1://p' "$output")
    [[ -z $bank_port ]] || return 0
    kill -0 "$bank_pid" 2>/dev/null || break
    sleep 0.1
  done
  fail "the bank did not start: $(cat "$output")"
}

# stop_program PID [SECONDS]: SIGTERM, and SIGKILL when it takes too long. Its exit code, 137 when killed.
stop_program() {
  local pid=$1 tries code=0
  kill -TERM "$pid" 2>/dev/null || true
  for ((tries = 0; tries < ${2:-20} * 10; tries++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || code=$?
  return "$code"
}
