// The moments when the handlers of the Node.js peers began, and their arguments:
//
//   PROGRAM fill COUNT FIRST_MS GAP_MS    makes the queue's tables; job n is due at FIRST_MS + n * GAP_MS
//   PROGRAM work COUNT FILE plain|tight   works until it is ended; FILE gets a line "n, microseconds" per job
//
// The database comes from PGHOST, PGUSER and PGDATABASE.

import { renameSync, writeFileSync } from 'node:fs'

export const [verb, count, first, gap] = process.argv.slice(2).map(word => (/^\d+$/.test(word) ? +word : word))
export const [file, setting] = [first, gap]

export function* jobs() {
  for (let n = 0; n < count; n++) yield { n, due: new Date(first + n * gap) }
}

const moments = []

// Date.now() knows whole milliseconds only.
export function begin(n) {
  moments.push([n, Math.round((performance.timeOrigin + performance.now()) * 1000)])
  if (moments.length === count) write()
}

function write() {
  writeFileSync(file + '.part', moments.map(line => line.join('\t') + '\n').join(''))
  renameSync(file + '.part', file)
}

// The run is over, and no job is waited for. A queue that did not keep up shows what it had begun.
if (verb === 'work')
  process.on('SIGTERM', () => {
    if (moments.length < count) write()
    process.exit(0)
  })
