# Claimed again and again without a settlement: asked alone first, parked in the end.
policy main concurrency=4
engine crash_limit=3 in_flight=8 batch=8
start
row A1 main
row S1 main claims=4
claimed
expect asked S1
expect not asked A1
answer S1 pending
settled
expect asked A1
answer A1 paid
settled
at 1s
row S2 main claims=7
claimed
expect not asked S2
expect settle S2=park:crashes
settled
expect note order_parked
expect idle
