# shellcheck shell=bash
# What bench/run and bench/claim-cost share: a private cluster with everything on, makegood put beside a shop, and the
# machine in words. Sourced after scripts/lib.sh; keeps everything in $folder and removes it at the end.

build=${MAKEGOOD_BUILD:-$root/build}
folder=
running=() # our programs, ended by clean_up

clean_up() {
  local pid
  for pid in "${running[@]}"; do
    stop_program "$pid" 10 2>/dev/null || true
  done
  [[ -z $folder ]] || {
    [[ ! -d $folder/mq ]] || "$root/scripts/rocketmq" stop "$folder/mq" || true
    [[ ! -d $folder/cluster ]] || "$root/scripts/cluster" stop "$folder/cluster" immediate || true
    rm -rf "$folder"
  }
}

make_folder() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  folder=$(mktemp -d -t makegood-bench-XXXXXX)
  chmod 0711 "$folder" # the server's user passes through to its own
}

need_program() {
  [[ -x $build/$1 ]] || fail "$build/$1 is missing; build first: scripts/test --quick, or cmake --build $build"
}

# sql [PSQL-ARGUMENT]...: as the cluster's superuser; rows as plain values.
sql() {
  PGOPTIONS='-c client_min_messages=warning' psql -X -q -At -v ON_ERROR_STOP=1 -h "$folder/cluster/socket" \
    -U postgres -d postgres "$@"
}

# Durable as it comes (fsync, full page writes, synchronous commit), with memory for a small production server; and like
# a server that has run for a while: every shared buffer was used before, and there are old WAL segments to write into
# again. A new one spends its first gigabyte on filling both with zeros, which would be counted to whoever goes first.
start_database() {
  "$root/scripts/cluster" start "$folder/cluster" -o shared_buffers=1GB -o max_wal_size=8GB -o min_wal_size=3GB \
    -o checkpoint_timeout=15min -o track_commit_timestamp=on -o shared_preload_libraries=pg_stat_statements \
    >/dev/null
  sql -c 'CREATE TABLE used (page text)' -c 'ALTER TABLE used ALTER page SET STORAGE PLAIN' \
    -c "INSERT INTO used SELECT repeat('page', 1950) FROM generate_series(1, 180000)" -c 'DROP TABLE used' -c CHECKPOINT
  sql -f "$root/bench/shop.sql"
}

# write_config FILE URL CA-FILE: the daemon's, with what the benchmarks fix. More keys come from the callers.
write_config() {
  sed -e "s|@SOCKET@|$folder/cluster/socket|g" -e "s|@URL@|$2|g" -e "s|@CA@|$3|g" \
    -e "s|@BATCH@|${batch:-500}|g" -e "s|@CONNECTIONS@|${connections:-64}|g" \
    -e "s|@IN_FLIGHT@|$((${batch:-500} * 8))|g" "$root/bench/makegood.yaml.in" >"$1"
}

# Needs write_config before it. The daemon's login is its own: the group's rights and nothing else.
install_makegood() {
  "$build/makegood" migrate -c "$folder/makegood.yaml" >"$folder/migrate.log" 2>&1 ||
    fail "makegood migrate failed: $(tail -n 5 "$folder/migrate.log")"
  sql -c 'CREATE ROLE makegood LOGIN IN ROLE makegood_daemon'
}

# tell TEXT: progress, on stderr, so that the results can be kept.
tell() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }

describe_machine() {
  printf '%s\n' \
    "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(
      awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo) memory" \
    "Linux $(uname -r), PostgreSQL $(sql -c 'SHOW server_version' | cut -d ' ' -f 1), $(
      curl --version | head -n 1 | cut -d ' ' -f 1,2)" \
    "$(sql -c "SELECT string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings
               WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'shared_buffers',
                              'max_wal_size')")"
}

# cpu_ticks PID: of one process.
cpu_ticks() {
  awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

# The postmaster, its children that ended, and its children that live. A process may end while it is being read, so
# those that are about to get a moment to do so.
server_ticks() {
  local postmaster
  sleep 0.3
  postmaster=$(head -n 1 "$folder/cluster/data/postmaster.pid")
  { cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v postmaster="$postmaster" '
    { own = $1 == postmaster; sub(/^.*\) /, "") }
    own { sum += $12 + $13 + $14 + $15 }
    $2 == postmaster { sum += $12 + $13 }
    END { print sum }'
}
