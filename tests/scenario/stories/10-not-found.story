# Not found is final only past the end and the grace, and only while the credentials are known good.
policy main horizon=1h grace=10m probe=5m schedule=5s,30s
start
row A1 main age=2h
claimed
answer A1 not_found
expect settle A1=retry:5m
expect note nothing_found_lately
settled
at 1s
row B1 main
claimed
answer B1 pending
settled
at 2s
row A1 main age=2h answers=1
claimed
answer A1 not_found
expect settle A1=closed
settled
at 3s
row C1 main age=65m           # past the end, within the grace
claimed
answer C1 not_found
expect settle C1=retry:30s
settled
expect idle
