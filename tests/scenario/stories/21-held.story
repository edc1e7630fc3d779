# A channel that is held back (paused by an operator, in its maintenance window) is neither claimed nor asked; what was
# claimed and not asked yet goes back, what is being asked is settled. Freed, it is scanned at once.
engine in_flight=16 batch=8
policy main concurrency=1
policy other
start
row A1 main
row A2 main
claimed
expect asked A1
hold main
expect note channel_held
expect release A2
released
answer A1 paid
expect settle A1=paid
settled
at 1s
expect claim other=4
claimed
at 1500
hold main                       # said again: nothing new
expect no note channel_held
free main
expect note channel_freed
expect claim other=4 main=4
claimed
expect idle
