# Lies end in doubt or in another question, never in a paid order.
policy main concurrency=8 guard=0 unknown_limit=2
engine in_flight=8 batch=8
start
row A1 main amount=100
row A2 main amount=100
row A3 main amount=100
row A4 main amount=100
row A5 main amount=100
row A6 main amount=100 unknowns=1
claimed
answer A1 paid amount=101
expect settle A1=park:amount_mismatch
settled
answer A2 paid amount=100 currency=USD
expect settle A2=park:currency_mismatch
settled
answer A3 paid amount=100 forged=1
expect settle A3=retry:1s
settled
answer A4 other_order
expect settle A4=retry:1s
settled
answer A5 refunded amount=100 refunded=40
expect settle A5=park:refund_seen
settled
answer A6 unknown_state
expect settle A6=park:unknown_state
settled
expect idle
