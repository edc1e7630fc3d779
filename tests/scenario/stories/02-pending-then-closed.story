# Still pending: due again by the schedule. The second answer moves on in the schedule; an error does not.
policy main schedule=5s,30s,2m
start
row A1 main
claimed
answer A1 pending
expect settle A1=retry:30s
settled
at 1s
row A1 main answers=1
claimed
answer A1 server_error
expect settle A1=retry:1s
settled
at 2s
row A1 main answers=1 errors=1
claimed
answer A1 timeout
expect settle A1=retry:2s
settled
at 3s
row A1 main answers=1 errors=2
claimed
answer A1 closed
expect settle A1=closed
settled
expect idle
