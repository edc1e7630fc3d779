# A claim tells when the channel's next row is due: it is claimed at that time, and nothing is scanned before, apart from
# what may have been missed.
engine in_flight=16 batch=8 rescan=30s
policy main schedule=5s jitter=0
policy other
start
expect claim other=4 main=4
claimed
next main 12s
at 11900
expect no claim
at 12s
expect claim main=8
row A1 main
claimed
expect asked A1
answer A1 pending
expect settle A1=retry:5000
settled
# What it put off itself, nobody has to tell.
at 16900
expect no claim
at 17s
expect claim main=4
claimed
# An order that is due before anybody would wake announces itself.
at 20s
due other
expect claim other=4
claimed
# Held back it is not claimed, when it is due or announced; freed it is scanned.
hold main
next main 2s
at 25s
due main
expect no claim
free main
expect claim other=4 main=4
claimed
next main 1h
at 54900
expect no claim
at 55s
expect claim other=4 main=4     # the rescan
claimed
expect idle
