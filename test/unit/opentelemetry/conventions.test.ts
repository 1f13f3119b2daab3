import { expect, it } from 'vitest'
import { Conventions } from '../../../src/opentelemetry/conventions.js'

/* Names that the conventions change in 1.45, by what OTEL_SEMCONV_STABILITY_OPT_IN says. */

const BEFORE = ['messaging.system', 'messaging.kafka.message.tombstone', 'messaging.kafka.offset']
const AFTER = ['messaging.system.name', 'kafka.message.tombstone', 'kafka.offset']

it.each([
  [undefined, BEFORE],
  ['', BEFORE],
  ['http, database', BEFORE],
  ['messaging', AFTER],
  ['http, messaging', AFTER],
  ['messaging/dup', [...BEFORE, ...AFTER]],
  ['messaging,messaging/dup', [...BEFORE, ...AFTER]],
])('%j names %j', (optIn, names) => {
  const conventions = new Conventions(optIn)
  const { system, tombstone } = conventions
  const attributes = { ...system, ...tombstone, ...conventions.offset(7n) }
  expect(Object.keys(attributes).sort()).toEqual([...names].sort())
  expect(new Set(Object.values(attributes))).toEqual(new Set(['kafka', true, 7]))
})
