# The shop holds the order's lock: repeated under the same token until it lets go.
policy main
engine lease=60s
start
row A1 main
claimed
answer A1 paid
settled A1=busy
after 130ms
expect settle A1=paid
settled A1=busy
after 130ms
expect settle A1=paid
settled A1=applied
expect idle
