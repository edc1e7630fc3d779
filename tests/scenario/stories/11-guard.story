# Too many answers in doubt: our reading is wrong. The channel halts with one alarm, the rows stay; a reload goes on.
policy main concurrency=8 guard=50
engine in_flight=32 batch=32
start
row A01 main
row A02 main
row A03 main
row A04 main
row A05 main
row A06 main
row A07 main
row A08 main
claimed
answer A01 paid amount=7
answer A02 paid amount=7
answer A03 paid amount=7
answer A04 paid amount=7
answer A05 paid amount=7
answer A06 paid amount=7
answer A07 paid amount=7
answer A08 paid amount=7
settled
settled
expect no note channel_halted
at 1s
row B01 main
row B02 main
row B03 main
row B04 main
row B05 main
row B06 main
row B07 main
row B08 main
claimed
answer B01 paid amount=7
answer B02 paid amount=7
answer B03 paid amount=7
answer B04 paid amount=7
answer B05 paid amount=7
answer B06 paid amount=7
answer B07 paid amount=7
expect no note channel_halted
settled
settled
answer B08 paid amount=7
expect note channel_halted
expect settle B08=retry:60s
settled
after 1m
expect no claim
policy main concurrency=8 guard=50
reload
expect claim main=32
