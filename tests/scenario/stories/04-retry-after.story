# The channel asks for patience: nobody else of that channel is asked, another channel goes on.
policy main concurrency=1
policy other concurrency=1
start
row A1 main
row A2 main
row O1 other
claimed
expect asked A1 O1
answer A1 rate_limited retry_after=10s
expect note channel_paused
expect settle A1=retry:10s
settled
expect not asked A2
answer O1 paid
settled
after 9s
expect not asked A2
after 1s
expect asked A2
