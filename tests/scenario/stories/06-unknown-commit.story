# The line is cut before the commit is confirmed: the same batch goes again, and the slot is held until it is known.
policy main
start
row A1 main
claimed
answer A1 paid
expect settle A1=paid
settle fails unknown
expect note settle_repeated
after 200ms
expect settle A1=paid
settle fails later
after 400ms
expect settle A1=paid
settled A1=applied
expect idle
