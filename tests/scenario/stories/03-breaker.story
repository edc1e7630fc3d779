# Three faults in a row open the breaker: what waits is given back, one probe goes out, and a good answer starts slowly.
policy main concurrency=3 breaker_failures=3 breaker_open=5s
engine in_flight=4
start
row A1 main
row A2 main
row A3 main
row A4 main
claimed
expect asked A1 A2 A3
expect not asked A4
answer A1 timeout
answer A2 timeout
expect asked A4
answer A3 timeout
expect note breaker_opened
settled
settled
at 4s
expect no claim
answer A4 timeout          # it left before: says nothing new
settled
at 5s
expect claim main=1
row A1 main errors=1
claimed
expect asked A1
answer A1 pending
expect note breaker_closed
settled
expect claim main=3
row B1 main
row B2 main
row B3 main
claimed
expect asked B1            # one at once...
expect not asked B2
answer B1 paid
expect asked B2 B3         # ... then two, ...
answer B2 paid
answer B3 paid
