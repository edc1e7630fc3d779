# shellcheck shell=bash disable=SC2154 # what scripts/demo sets
# Part of scripts/demo: the same orders as delayed messages of a private RocketMQ 5, and what may go wrong there.

# One topic for each channel: those that share one wait for each other there.
topics() {
  awk -F '\t' '!/^#/ && !seen[$2]++ { print "lost_" $2 }' "$parts/fates.tsv"
}

start_broker() {
  local code=0
  endpoint=$("$root/scripts/rocketmq" start "$folder/mq") || code=$?
  [[ $code -eq 0 ]] || exit "$code"
  # shellcheck disable=SC2046 # names without spaces
  "$root/scripts/rocketmq" topic "$folder/mq" $(topics)
  "$root/scripts/rocketmq" group "$folder/mq" makegood shop
}

# Under the pace of each channel.
draw_from_topic() {
  printf '    source: rocketmq\n    topic: lost_%s\n' "$1"
  [[ -z $seed ]] || echo '    safety_net: yes'
}

post_office() {
  local group=$1 verb=$2
  shift 2
  # shellcheck disable=SC2046
  "$root/build/tests/broker/makegood-mail" "$endpoint" "$group" "$verb" "$@" $(topics)
}

# A group begins at the end of its topics: whoever receives is there before the first message.
await_session() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    grep -qs 'event=broker_up' "$folder/daemon.log" && sleep 3 && return 0
    sleep 0.1
  done
  fail "the daemon got no session with RocketMQ: $(tail -n 3 "$folder/daemon.log")"
}

send_messages() {
  sql webshop -At -F $'\t' -v seed="$seed" ${seed:+-v chaos=20000} -f "$parts/messages.sql" >"$folder/messages.tsv"
  echo "sent $(post_office shop send <"$folder/messages.tsv")"
}

# What nobody acknowledged is at the broker still. It comes when the dead daemon's time with it is over.
look_into_letter_box() {
  post_office makegood receive 25 >"$folder/left.tsv"
  sql postgres -c "\\copy demo.message FROM '$folder/left.tsv' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
}

# Seeded: who is killed, and when. Each comes back on what it has.
unleash_chaos() {
  local victim
  RANDOM=$((seed % 32768))
  for victim in daemon proxy daemon broker daemon; do
    sleep $((1 + RANDOM % 4)).$((RANDOM % 10))
    say "kill -9 of the $victim"
    if [[ $victim == daemon ]]; then
      kill -KILL "$daemon_pid"
      wait "$daemon_pid" 2>/dev/null || true
      start_daemon
    else
      "$root/scripts/rocketmq" kill "$folder/mq" "$victim"
      "$root/scripts/rocketmq" start "$folder/mq" >/dev/null
    fi
  done
}
