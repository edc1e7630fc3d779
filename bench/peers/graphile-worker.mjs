// graphile-worker (see begun.mjs). Each of the ten workers looks for jobs by itself: after a job at once, after none
// when pollInterval is over. With a local queue one looks for all of them, which is what short intervals ask for.

import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import { begin, count, jobs, setting, verb } from './begun.mjs'

const logger = new Logger(() => level => (level === 'error' ? console.error : () => {}))

if (verb === 'fill') {
  const utils = await makeWorkerUtils({ logger })
  await utils.migrate()
  const all = [...jobs()]
  for (let at = 0; at < count; at += 1000)
    await utils.addJobs(
      all.slice(at, at + 1000).map(({ n, due }) => ({ identifier: 'order', payload: { n }, runAt: due })),
    )
  await utils.release()
} else
  await run({
    logger,
    noHandleSignals: true,
    preset: {
      worker: { concurrentJobs: 10, ...(setting === 'tight' && { pollInterval: 10, localQueue: { size: 500 } }) },
    },
    taskList: { order: async payload => begin(payload.n) },
  })
