# Nothing was found lately: that is told once, and only when an order would close if the credentials were proven.
policy main horizon=1h grace=10m probe=5m schedule=5s,30s found_lately=10s
start
row A1 main
claimed
answer A1 not_found
settled
expect no note nothing_found_lately
at 1s
row B1 main age=2h
claimed
answer B1 not_found
expect settle B1=retry:5m
expect note nothing_found_lately
settled
at 2s
row C1 main age=2h
claimed
answer C1 not_found
expect settle C1=retry:5m
settled
expect no note nothing_found_lately
at 3s
row D1 main age=10m
claimed
answer D1 pending          # found: from now on not found is believed...
settled
at 4s
row E1 main age=2h
claimed
answer E1 not_found
expect settle E1=closed
settled
after 20s                  # ... for as long as that is lately
row F1 main age=2h
claimed
answer F1 not_found
expect settle F1=retry:5m
expect note nothing_found_lately
settled
