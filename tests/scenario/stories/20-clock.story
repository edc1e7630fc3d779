# Our clock and the channel's differ: told once, and again only after they agreed.
policy main
start
row A1 main
claimed
answer A1 pending skew=70s
expect note clock_skew
settled
at 1s
row A1 main
claimed
answer A1 pending skew=-80s
expect no note clock_skew
settled
at 2s
row A1 main
claimed
answer A1 timeout               # no answer, no clock
expect no note clock_skew
settled
at 3s
row A1 main
claimed
answer A1 pending skew=2s
settled
at 4s
row A1 main
claimed
answer A1 pending skew=-60s
expect note clock_skew
settled
