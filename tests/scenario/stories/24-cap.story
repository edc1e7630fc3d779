# No more orders may end per minute than the cap says, a tenth of it at once: the rest is asked again later.
engine batch=8 in_flight=16 collect=10 cap=20 lease=10m
policy main concurrency=8 probe=1m
start
at 1m
row A1 main
row A2 main
row A3 main
row A4 main
claimed
answer A1 paid
answer A2 closed
answer A3 paid
answer A4 pending
after 10
expect note settle_capped
expect settle A1=paid A2=closed A3=retry:1m/open A4=retry:30s
settled
at 64s
row B1 main
claimed
answer B1 paid
after 10
expect settle B1=paid           # 18 a minute beyond the first: one token every 3.4 s
settled
