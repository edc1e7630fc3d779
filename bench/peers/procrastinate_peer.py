"""procrastinate, with the arguments that begun.mjs tells of. Its worker looks for jobs one by one until there is none,
and again after fetch_job_polling_interval (a NOTIFY tells it of new jobs, not of jobs that fall due)."""

import asyncio
import datetime
import os
import signal
import sys
import time

import procrastinate

verb, count = sys.argv[1], int(sys.argv[2])
moments = []
app = procrastinate.App(connector=procrastinate.PsycopgConnector())


@app.task(name="order")
async def order(n):
    moments.append((n, time.time_ns() // 1000))
    if len(moments) == count:
        write()


def write():
    with open(sys.argv[3] + ".part", "w") as file:
        file.writelines(f"{n}\t{us}\n" for n, us in moments)
    os.rename(sys.argv[3] + ".part", sys.argv[3])


def end(*_):
    if len(moments) < count:
        write()
    os._exit(0)


async def fill(first, gap):
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        due = [datetime.datetime.fromtimestamp((first + n * gap) / 1000, datetime.timezone.utc) for n in range(count)]
        later = (order.configure(schedule_at=at).defer_async(n=n) for n, at in enumerate(due))
        while some := [job for _, job in zip(range(100), later)]:
            await asyncio.gather(*some)


async def work(setting):
    async with app.open_async():
        tight = {"fetch_job_polling_interval": 0.01} if setting == "tight" else {}
        await app.run_worker_async(concurrency=10, install_signal_handlers=False, **tight)


if verb == "work":
    signal.signal(signal.SIGTERM, end)
asyncio.run(fill(int(sys.argv[3]), int(sys.argv[4])) if verb == "fill" else work(sys.argv[4]))
