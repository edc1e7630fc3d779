# A lost order is paid at the channel: one claim, one question, one settlement, and the slot is free again.
policy main concurrency=4
start
expect claim main=4
row A1 main amount=1999
claimed
expect asked A1
answer A1 paid amount=1999
expect settle A1=paid
settled
expect note order_settled
expect idle
