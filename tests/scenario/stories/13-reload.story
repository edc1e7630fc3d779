# A channel leaves the configuration under load: its orders go back, what is being asked is settled all the same.
policy main concurrency=1
policy gone concurrency=1
start
row A1 main
row G1 gone
row G2 gone
claimed
expect asked A1 G1
policy main concurrency=2
reload
expect release G2
released
answer G1 paid
expect settle G1=paid
settled
answer A1 paid
settled
