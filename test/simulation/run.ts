import { parseArgs } from 'node:util'
import { isCalling } from './caller-scenario.js'
import { scenarioOf } from './scenario-of.js'
import { shrink, asCode } from './shrink.js'
import { simulate } from './simulation.js'
import { isStreaming } from './stream-scenario.js'
import { isWorldly } from './world-scenario.js'

// What the producer warns of is what is played here.
process.removeAllListeners('warning')
process.on('warning', () => undefined)

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    // Of these seeds only those whose world changes.
    world: { type: 'boolean', default: false },
    // Only those that write to streams.
    streams: { type: 'boolean', default: false },
    // Only those that make use of all else that a producer has.
    calls: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    // Shrinks nothing, and goes on.
    'keep-going': { type: 'boolean', default: false },
    // Shrinks nothing, and ends.
    first: { type: 'boolean', default: false },
  },
})
const from = Number(values.seed ?? values.from)
const count = values.seed === undefined ? Number(values.seeds) : 1
const began = performance.now()
let played = 0
const sum = { steps: 0, messages: 0, virtualMs: 0 }
let failures = 0
for (let seed = from; seed < from + count; seed++) {
  if (values.world && !isWorldly(seed)) continue
  if (values.streams && (isWorldly(seed) || !isStreaming(seed))) continue
  if (values.calls && (isWorldly(seed) || isStreaming(seed) || !isCalling(seed))) continue
  played++
  const scenario = scenarioOf(seed)
  const { violation, steps, messages, tookMs, trace, digest } = await simulate(scenario, { keepsTrace: values.trace })
  sum.steps += steps
  sum.messages += messages
  sum.virtualMs += tookMs
  if (values.trace) console.log(trace.join('\n'), digest)
  if (violation === undefined) continue
  failures++
  console.log(`seed ${seed}: ${violation.message}`)
  if (values['keep-going']) continue
  if (values.first) break
  const smaller = await shrink(scenario, violation.rule)
  console.log(asCode(smaller.scenario))
  console.log(`${smaller.violation.message}\nGo on behind it: npm run simulate -- --seeds N --from ${seed + 1}`)
  break
}
const seconds = ((performance.now() - began) / 1000).toFixed(1)
console.log(
  `${played} seeds from ${from} on, ${failures} failed: ${sum.messages} messages, ${sum.steps} steps, ${Math.round(sum.virtualMs / 60_000)} virtual minutes in ${seconds} s`,
)
process.exitCode = failures > 0 ? 1 : 0
