# Closed at the channel only where an expiry was given, or where the policy says so; otherwise a person decides.
policy main close=expiry horizon=1h
start
row A1 main age=2h
claimed
answer A1 pending
expect settle A1=park:unclosable
settled
policy main close=always horizon=1h
start
at 1s
row A1 main age=2h
claimed
answer A1 pending
expect settle A1=close:1/closing
settled

# The policy changed meanwhile: what was to be closed is only asked about.
policy main horizon=1h
start
at 2s
row A1 main age=2h phase=closing
claimed
answer A1 pending
expect settle A1=park:unclosable
settled

# A shop that put the end off: checked too early, open again.
policy main close=expiry
start
at 3s
row B1 main left=1h phase=check
claimed
answer B1 pending
expect settle B1=retry:30s/open
settled
