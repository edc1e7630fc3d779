// pg-boss (see begun.mjs). One worker looks every pollingIntervalSeconds, and again at once while its batches are full.

import { PgBoss } from 'pg-boss'
import { begin, count, jobs, setting, verb } from './begun.mjs'

const boss = new PgBoss({})
boss.on('error', error => console.error(error))
await boss.start()

if (verb === 'fill') {
  await boss.createQueue('order')
  const all = [...jobs()]
  for (let at = 0; at < count; at += 1000)
    await boss.insert('order', all.slice(at, at + 1000).map(({ n, due }) => ({ data: { n }, startAfter: due })))
  await boss.stop()
} else
  await boss.work(
    'order',
    { batchSize: 500, burstWhenBatchFull: true, ...(setting === 'tight' && { pollingIntervalSeconds: 0.5 }) },
    async batch => batch.forEach(job => begin(job.data.n)),
  )
