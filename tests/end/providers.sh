#!/usr/bin/env bash
# The channels of five providers, led to a bank: what `makegood bank --config` prints, and the ready files of config/channels
# as they ship but for their pace, address and merchant. usage: providers.sh BANK_PROGRAM KEYS PORT CA_FILE SECRET_FILE PACE
set -euo pipefail
bank=$1 keys=$2 port=$3 ca=$4 secret=$5 pace=$6
root=$(cd "$(dirname "$0")/../.." && pwd)

shipped() {
  sed -E -e '/^ *#/d' -e '/^    schedules:/,/^    rate:/d' \
    -e '/^    (schedule|rate|horizon|close_at_horizon|late):/d' -e '/^    merchant:|^      merchant:/d' \
    -e "s#https://api(-m)?[.](stripe|paypal)[.]com#https://localhost:$port#" \
    -e "s|/etc/makegood/${1}_secret|$secret|" -e "s|^    type: http|&\n    ca_file: $ca|" "$root/config/channels/$1.yaml"
}

{
  "$bank" --keys "$keys" --port "$port" --config | sed "s|ca_file: .*|ca_file: $ca|"
  shipped paypal
  shipped stripe
} | awk -v pace="$pace" '
  function tell_pace(  text) {
    text = pace
    if (channel ~ /^(unionpay|paypal)$/) # they can close nothing
      gsub(/    close_at_horizon: yes\n/, "", text)
    print text
  }
  /^channels:/ { next }
  /^  - name:/ && channel { tell_pace() }
  /^  - name:/ { channel = $3 }
  { print }
  END { tell_pace() }'
