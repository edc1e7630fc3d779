# Stopping: no more claims, what waits is given back unasked, what is being asked is settled.
policy main concurrency=1
start
row A1 main
row A2 main
claimed
expect asked A1
stop
expect release A2
released
answer A1 paid
expect settle A1=paid
settled
expect idle
after 1m
expect no claim
