# The schema is not what it must be: settling stops with one alarm and nothing is parked; a mended schema goes on.
policy main
start
row A1 main
claimed
answer A1 paid
settle fails schema 42501
expect note database_unfit
after 20s
expect no settle
expect no claim
after 10s
expect settle A1=paid
settled
expect note database_fit
expect claim main=4
