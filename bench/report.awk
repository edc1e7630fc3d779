# The results of bench/run as a table for people or for doc/performance.md. A line of results.tsv is one run: kind
# (http, tls, paced), who, and the measures in the order of `names`. Quotes medians; exit code 1 when the daemon
# reaches less than `least` of the limit.

function median(kind, who, measure,    count, i, j, swap, sorted) {
  count = runs[kind, who]
  for (i = 1; i <= count; i++) sorted[i] = value[kind, who, measure, i]
  for (i = 2; i <= count; i++)
    for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
      swap = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = swap
    }
  return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

function cell(kind, who, measure) {
  if (!((kind, who) in runs)) return kind == "paced" ? "" : "-"
  return sprintf(format[measure], median(kind, who, measure))
}

function ratio(kind, who) {
  if (!((kind, "daemon") in runs) || !((kind, who) in runs)) return "-"
  return sprintf("%.2f", median(kind, "daemon", 1) / median(kind, who, 1))
}

function misses(kind) {
  return ratio(kind, "limit") != "-" && ratio(kind, "limit") < least + 0
}

# On a machine that others use as well this compares better than the rate.
function together(kind, who) {
  if (!((kind, who) in runs)) return kind == "paced" ? "" : "-"
  return sprintf("%.1f", median(kind, who, 2) + median(kind, who, 3) + median(kind, who, 4))
}

function line(name, a, b, c, d, e, f, g) {
  if (style == "markdown") printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, a, b, c, d, e, f, g
  else printf "%-42s %11s %11s %12s %11s %11s %11s %11s\n", name, a, b, c, d, e, f, g
}

function told(kind, who, measure) {
  # Latency means something only where orders fall due one after the other, and throughput only where they do not.
  return (kind == "paced") == (measure >= latency) || (measure > 1 && measure < latency) ? cell(kind, who, measure) : ""
}

BEGIN {
  FS = "\t"
  measures = split("orders settled per second|CPU of the program, us per order|CPU of PostgreSQL, us per order|" \
                   "CPU of the bank, us per order|memory of the program (RSS, peak), MB|" \
                   "calls to PostgreSQL per 1,000 orders|inside claim, us per order|inside settle, us per order|" \
                   "due to settled, p50, ms|due to settled, p99, ms", names, "|")
  split("%.0f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f", format, "|")
  latency = 9
}

{
  run = ++runs[$1, $2]
  for (i = 1; i <= measures; i++) value[$1, $2, i, run] = $(i + 2)
}

END {
  quote = style == "markdown" ? "`" : ""
  printf "%s%s%s\n\n", quote, command, quote
  while ((getline text <machine) > 0) print (style == "markdown" ? "- " : "") text
  print (style == "markdown" ? "- " : "") orders " orders due at once; " rounds (rounds == 1 ? " round" : " rounds, medians") \
        "; PostgreSQL, bank and program share the machine" \
        (paced > 0 ? "; the last column: " paced " orders fall due per second, scanned for every second" : "") "\n"
  line("", "http daemon", "http limit", "http ceiling", "tls daemon", "tls limit", "tls ceiling",
       paced > 0 ? paced "/s daemon" : "")
  if (style == "markdown") print "|---|---:|---:|---:|---:|---:|---:|---:|"
  for (i = 1; i <= measures; i++)
    line(names[i], told("http", "daemon", i), told("http", "limit", i), told("http", "ceiling", i),
         told("tls", "daemon", i), told("tls", "limit", i), told("tls", "ceiling", i), told("paced", "daemon", i))
  line("CPU of all three, us per order", together("http", "daemon"), together("http", "limit"),
       together("http", "ceiling"), together("tls", "daemon"), together("tls", "limit"), together("tls", "ceiling"),
       together("paced", "daemon"))
  line("daemon / this", "", ratio("http", "limit"), ratio("http", "ceiling"), "", ratio("tls", "limit"),
       ratio("tls", "ceiling"), "")
  if (misses("http") || misses("tls")) {
    printf "\nThe daemon reaches less than %s of the limit.\n", least
    exit 1
  }
}
