import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { plainDebug } from '../../src/debug.js'
import { KafkaProducerInstrumentation } from '../../src/opentelemetry/index.js'

/* In a Deno without the right to, as `deno run --allow-net` has it, to read a variable of the environment throws. */

function whereItMayNotBeRead(run: () => void): void {
  const { env } = process
  const refusing = new Proxy(env, {
    get(_, name) {
      throw new Error(`Requires env access to "${String(name)}", run again with the --allow-env flag`)
    },
  })
  Object.assign(process, { env: refusing })
  try {
    run()
  } finally {
    Object.assign(process, { env })
  }
}

it('an environment that may not be read wants no lines of DEBUG', () => {
  const lines: unknown[] = []
  const out = new Writable({ write: (chunk: Buffer, _, done) => done(void lines.push(chunk)) })
  whereItMayNotBeRead(() => plainDebug('kafka-producer:sasl', undefined, out)('what nobody sees'))
  expect(lines).toEqual([])
})

it('an environment that may not be read leaves the instrumentation the names that it has by default', () => {
  whereItMayNotBeRead(() => new KafkaProducerInstrumentation().disable())
})
