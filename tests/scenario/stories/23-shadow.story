# Shadow mode: a channel is asked and audited, and nothing comes of it; rows go back as they came, at probe pace.
engine in_flight=16 batch=8 collect=10 lease=10m
policy main shadow=yes close=expiry probe=1m
start
row A1 main answers=2 errors=1
row A2 main
row A3 main left=-1s
row A4 main
claimed
answer A1 paid
answer A2 paid amount=1         # would be parked
answer A3 pending               # at its end nothing is closed there
answer A4 pending
after 10
expect settle A1=retry:1m/open A2=retry:1m/open A3=retry:1m/open A4=retry:30s
settled
at 61s
row B1 main left=-1s phase=closing
claimed
expect asked B1                 # begun before it became shadow: it is only asked
answer B1 closed
after 10
expect settle B1=retry:1m/check
settled
