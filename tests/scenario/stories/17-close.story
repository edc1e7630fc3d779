# The end of a life: still pending, so the channel is asked to close it, then asked again what it is, then it is closed
# here. Each step is a state of the row, so that a crash anywhere goes on from there.
policy main close=expiry probe=1m tail=10m,25h
start
row A1 main left=-1s
claimed
answer A1 pending
expect settle A1=close:1/closing
settled
at 1s
row A1 main left=-2s phase=closing
claimed
expect asked A1
answer A1 closed                # accepted: that settles nothing
expect settle A1=retry:1/check
settled
at 2s
row A1 main left=-3s phase=check answers=1
claimed
answer A1 closed
expect settle A1=closed:10m/tail
settled

# The payer was faster: what closing says is not believed, the query is.
at 3s
row B1 main left=-2s phase=closing
claimed
answer B1 paid
expect settle B1=retry:1/check
settled
at 4s
row B1 main left=-3s phase=check answers=1
claimed
answer B1 paid
expect settle B1=paid
settled

# Closing fails: it is asked what it is, and closed again at probe pace; after five answered requests a person decides.
at 5s
row C1 main left=-2s phase=closing
claimed
answer C1 server_error
expect settle C1=retry:1s/check
settled
at 6s
row C1 main left=-3s phase=check errors=1
claimed
answer C1 pending
expect settle C1=close:1m/closing
settled
at 7s
row C1 main left=-1h phase=check answers=5
claimed
answer C1 pending
expect settle C1=park:unclosable
settled
expect idle
