import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { plainDebug } from '../../src/debug.js'

/** What is printed for a namespace under a `DEBUG`, where the package `debug` can't be found. */
function printed(DEBUG: string, namespace: string): string {
  const lines: string[] = []
  const out = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(String(chunk))
      done()
    },
  })
  plainDebug(namespace, DEBUG, out)('%s: %d left, %O', 'host:9092', 2, { a: 1 })
  return lines.join('')
}

it.each([
  ['kafka-producer:*', 'kafka-producer:sasl', true],
  ['*', 'kafka-producer:sasl', true],
  ['http, kafka-producer:sasl', 'kafka-producer:sasl', true],
  ['kafka-producer:*,-kafka-producer:sasl', 'kafka-producer:sasl', false],
  ['kafka-producer', 'kafka-producer:sasl', false],
  ['kafka.producer:*', 'kafka-producer:sasl', false],
  ['', 'kafka-producer:sasl', false],
])('without the package, DEBUG=%s is heeded for %s: %s', (DEBUG, namespace, wanted) => {
  const line = printed(DEBUG, namespace)
  if (wanted) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+Z kafka-producer:sasl host:9092: 2 left, \{ a: 1 \}\n$/)
  else expect(line).toBe('')
})
