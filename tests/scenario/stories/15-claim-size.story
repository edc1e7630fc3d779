# A claim takes no more than can start within a quarter of the lease: by rate, by concurrency, by the slots.
policy slow rate=2 burst=3 concurrency=50
policy narrow concurrency=2 timeout=5s
policy wide concurrency=50
engine in_flight=300 batch=300 lease=40s
start
expect claim wide=100 narrow=4 slow=23
