import * as library from '../../src/index.js'
import { Observers, Watched, type OnEnd } from '../../src/stats/observer.js'
import { DEFAULTS } from './cases.js'
import { clientOf } from './clients/ours.js'
import type { Job } from './job.js'
import { sendFor } from './modes.js'
import { payloads } from './payloads.js'
import { watcher } from './watchers.js'
import type { MeasuredWatching, WatchingJob } from './watching-names.js'

/*
 * What a message costs where somebody watches, or nobody: `watching-client.js <job as JSON>`; the result as JSON on stdout. A
 * process has one of them from its start to its end, as services have: V8 makes other code for each.
 */

const job = JSON.parse(process.argv[2] ?? '') as WatchingJob
const { bootstrap, mode, bytes, seconds, warmUpSeconds, watching, times } = job

// What happens once for a batch or a request costs so little of a message that no two processes agree on it. It is therefore
// done several times over, with what is made to tell of it and the time that is read for it.
if (times > 1) {
  type Begin = (this: Watched<object, object>, what: object) => OnEnd<object>
  const begin = Object.getOwnPropertyDescriptor(Watched.prototype, 'begin')?.value as Begin
  Watched.prototype.begin = function (this: Watched<object, object>, what: object): OnEnd<object> {
    const ends = [begin.call(this, what)]
    for (let i = 1; i < times; i++) {
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

const { options, isBlind, instrumentation, within = (send) => send() } = watcher(watching)
if (isBlind === true) Observers.prototype.add = () => undefined
instrumentation?.enable()
const client = clientOf(library, { brokers: bootstrap, acks: -1, enqueueTimeoutMs: -1, ...options }, mode)
const sent: Job = { ...DEFAULTS, acks: -1, shape: 'untraced', bootstrap, mode, bytes, seconds, warmUpSeconds }
const given = payloads(sent.shape, bytes)
const run = (seconds: number) => within(() => sendFor(seconds * 1_000, client, sent, given))

const warmUp = await run(warmUpSeconds)
const before = process.cpuUsage()
const count = await run(seconds)
const { user, system } = process.cpuUsage(before)
const result: MeasuredWatching = { perMessage: (user + system) / count, messages: warmUp + count }
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
