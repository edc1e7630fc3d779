# shellcheck shell=bash disable=SC2154
# Running suites and adding them up; sourced by scripts/test and scripts/sweep after lib.sh. A suite is a ctest test
# whose program ends with cmocka's closing lines. Keeps its sums in passed_sum and failed_sum.

passed_sum=0
failed_sum=0

build_with() {
  configure "$@" && build "$1"
}

# step NAME COMMAND...: a check that passes or fails as a whole; silent while it passes. Its status is the command's.
step() {
  local name=$1 output started=$SECONDS
  shift
  if output=$("$@" 2>&1); then
    passed_sum=$((passed_sum + 1))
    printf '%-34s ok %26d s\n' "$name" $((SECONDS - started))
    return 0
  fi
  failed_sum=$((failed_sum + 1))
  printf '%s\n%-34s FAILED\n' "$output" "$name"
  return 1
}

# The sum over cmocka's groups of closing lines as "[  PASSED  ] 12 test(s)".
closing_sum() {
  awk -v word="$1" '
    { while (match($0, "\\[ +" word " +\\] [0-9]+ test")) {
        split(substr($0, RSTART, RLENGTH), part, "] ")
        sum += part[2]
        $0 = substr($0, RSTART + RLENGTH)
      } }
    END { print sum + 0 }' <<<"$2"
}

suite_names() {
  ctest --test-dir "$1" -N -R "$2" | sed -n 's/^ *Test *#[0-9]*: //p'
}

# ctest repeats what a test prints behind its number.
suite_output() {
  ctest --test-dir "$1" -V --timeout "${MAKEGOOD_SUITE_SECONDS:-1500}" -R "^$2\$" 2>&1
}

# run_suite BUILD-DIR NAME LABEL
run_suite() {
  local output code=0 passed failed skipped told started=$SECONDS
  output=$(suite_output "$1" "$2") || code=$?
  told=$(sed -n 's/^[0-9]*: \{0,1\}//p' <<<"$output")
  passed=$(closing_sum PASSED "$told")
  failed=$(closing_sum FAILED "$told")
  skipped=$(closing_sum SKIPPED "$told")
  # A suite that crashed, hung or tested nothing is a failure of its own.
  if [[ $failed -eq 0 ]] && { [[ $code -ne 0 ]] || [[ $((passed + skipped)) -eq 0 ]]; }; then
    failed=1
  fi
  passed_sum=$((passed_sum + passed))
  failed_sum=$((failed_sum + failed))
  if [[ $failed -gt 0 ]]; then
    printf '%s\n%-34s %5d passed, %5d FAILED %4d s\n' "$output" "$3" "$passed" "$failed" $((SECONDS - started))
  else
    grep -oE '^\[(==========|  PASSED  |  SKIPPED )\] [0-9]+ test\(s\)( run)?' <<<"$told" | sed 's/^/    /' || true
    printf '%-34s %5d passed %16d s%s\n' "$3" "$passed" $((SECONDS - started)) \
      "$([[ $skipped -eq 0 ]] || echo "   $skipped SKIPPED")"
  fi
}

# run_suites BUILD-DIR PATTERN [LABEL-PREFIX]
run_suites() {
  local name names
  names=$(suite_names "$root/$1" "$2")
  if [[ -z $names ]]; then
    failed_sum=$((failed_sum + 1))
    echo "no suite in $1 matches '$2'"
    return 0
  fi
  for name in $names; do
    run_suite "$root/$1" "$name" "${3:-}$name"
  done
}

# The last line, and the verdict.
print_sum() {
  echo "$passed_sum passed, $failed_sum failed"
  [[ $failed_sum -eq 0 ]]
}
