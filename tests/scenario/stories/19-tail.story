# After closing: asked ten minutes and 25 hours later. What is still closed then is gone for good; what is paid then is
# said to be late, and the policy tells what becomes of it.
policy main tail=10m,25h late=accept
start
row A1 main phase=tail
claimed
answer A1 closed
expect settle A1=retry:1490m/tail
settled
at 1s
row A1 main phase=tail answers=1
claimed
answer A1 not_found
expect settle A1=closed
settled
at 2s
row B1 main phase=tail
claimed
answer B1 timeout               # an error uses nothing up
expect settle B1=retry:1s/tail
settled
at 3s
row B1 main phase=tail errors=1
claimed
answer B1 paid
expect settle B1=paid
settled
at 4s
row C1 main phase=tail answers=1
claimed
answer C1 pending               # closed here, and pending there: a person decides
expect settle C1=park:unclosable
settled
at 5s
row D1 main phase=tail
claimed
answer D1 paid amount=99
expect settle D1=park:amount_mismatch
settled
expect idle
