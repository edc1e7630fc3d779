# One row spoils the batch: halved until it is alone, parked as poison, its neighbours pass.
policy main concurrency=4
engine in_flight=4 batch=4 collect=10ms
start
row A1 main
row A2 main
row A3 main
row A4 main
claimed
answer A1 paid
answer A2 paid
answer A3 paid
answer A4 paid
expect settle A1=paid A2=paid A3=paid A4=paid
settle fails row 23514
expect settle A3=paid A4=paid
