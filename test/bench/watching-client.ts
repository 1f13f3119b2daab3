import * as library from '../../src/index.js'
import { Observers, Watched, type OnEnd } from '../../src/stats/observer.js'
import { DEFAULTS } from './cases.js'
import type { BenchClient } from './clients/bench-client.js'
import { clientOf } from './clients/ours.js'
import type { Job } from './job.js'
import { sendFor } from './modes.js'
import { payloads } from './payloads.js'
import { watcher, type Watcher } from './watchers.js'
import type { MeasuredWatching, Watching, WatchingJob } from './watching-names.js'

/*
 * What it costs that a producer is watched: `watching-client.js <job as JSON>`. Both ways to send take turns in one process,
 * plain, watched, watched, plain, so that whatever else the machine does strikes both; the rounds as JSON on stdout.
 */

const job = JSON.parse(process.argv[2] ?? '') as WatchingJob

/*
 * What happens once for a batch or a request costs so little of a message that no two stretches agree on it. It is therefore
 * done several times over, with what is made to tell of it and the time that is read for it.
 */
if (job.times > 1) {
  const { begin } = Watched.prototype
  Watched.prototype.begin = function (this: Watched<object, object>, what: object): OnEnd<object> {
    const ends = [begin.call(this, what)]
    for (let i = 1; i < job.times; i++) {
      Date.now()
      ends.push(begin.call(this, { ...what }))
    }
    return (end) => {
      for (const onEnd of ends) {
        Date.now()
        onEnd({ ...end })
      }
    }
  }
}

interface Side extends Watcher {
  readonly client: BenchClient
}

const { bootstrap, mode, bytes, seconds, warmUpSeconds, rounds, isWatchedFirst } = job
const sent: Job = { ...DEFAULTS, acks: -1, shape: 'untraced', bootstrap, mode, bytes, seconds, warmUpSeconds }
const given = payloads(sent.shape, bytes)
const made = isWatchedFirst ? [side(job.watched), side(job.plain)] : [side(job.plain), side(job.watched)]
const [plain, watched] = (isWatchedFirst ? made.reverse() : made) as [Side, Side]
const order = isWatchedFirst ? [watched, plain, watched, plain] : [plain, watched, plain, watched]
let messages = 0

function side(watching: Watching): Side {
  const watches = watcher(watching)
  const add = Object.getOwnPropertyDescriptor(Observers.prototype, 'add') as PropertyDescriptor
  if (watches.isBlind === true) Object.defineProperty(Observers.prototype, 'add', { value: () => undefined })
  const options = { brokers: bootstrap, acks: -1, enqueueTimeoutMs: -1, ...watches.options } as const
  const client = clientOf(library, options, mode)
  Object.defineProperty(Observers.prototype, 'add', add)
  return { ...watches, client }
}

/** After each change of sides: whoever subscribes to a channel, or ends that, has code compiled anew. */
const SETTLE_MS = 150
let active: Side | undefined

/** Microseconds of processor time, and messages. */
async function stretch(side: Side, ms: number): Promise<[cpu: number, count: number]> {
  if (active !== side) {
    active?.instrumentation?.disable()
    side.instrumentation?.enable()
    active = side
    await run(side, SETTLE_MS)
  }
  const cpuBefore = process.cpuUsage()
  const count = await run(side, ms)
  const { user, system } = process.cpuUsage(cpuBefore)
  return [user + system, count]
}

async function run({ client, within }: Side, ms: number): Promise<number> {
  const send = () => sendFor(ms, client, sent, given)
  const count = await (within === undefined ? send() : within(send))
  messages += count
  return count
}

for (const one of order) await stretch(one, (warmUpSeconds * 1_000) / 2)
const measured = { plain: [] as number[], watched: [] as number[] }
for (let round = 0; round < rounds; round++) {
  const ms = seconds * 1_000
  const outer = [await stretch(plain, ms)]
  const inner = [await stretch(watched, ms), await stretch(watched, ms)]
  outer.push(await stretch(plain, ms))
  const perMessage = (all: readonly [number, number][]) =>
    all.reduce((sum, [cpu]) => sum + cpu, 0) / all.reduce((sum, [, count]) => sum + count, 0)
  measured.plain.push(perMessage(outer))
  measured.watched.push(perMessage(inner))
}
const result: MeasuredWatching = { ...measured, messages }
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
