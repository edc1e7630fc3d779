# Living instances share what a channel allows. The first ones get what can not be divided; whose share is nothing asks
# nothing, and gives back what it had claimed.
engine in_flight=16 batch=8 collect=10
policy main concurrency=3 rate=1000
start
row A1 main
row A2 main
row A3 main
claimed
expect asked A1 A2 A3
share 1 2
answer A1 pending
answer A2 pending
answer A3 pending
after 10
expect settle A1=retry:30s A2=retry:30s A3=retry:30s
settled
at 1s
row B1 main
row B2 main
claimed
expect asked B1
expect not asked B2             # this one's share of three is one
share 3 4
expect release B2
released
answer B1 paid
after 10
expect settle B1=paid
settled
at 2s
expect no claim                 # of four instances it is the last: nothing is left for it
share 0 1                       # the others died
at 3s
expect claim main=8
claimed
