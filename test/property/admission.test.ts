import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/clock.js'
import type { KafkaProducerError } from '../../src/errors.js'
import { Admission } from '../../src/producer/calls/admission.js'
import type { OutgoingMessage } from '../../src/producer/queues/outgoing-message.js'
import { Room } from '../../src/producer/queues/room.js'
import { ManualTurn } from '../unit/producer/calls/admission-support.js'
import { dataBytesOf, outgoingMessage, Owner } from '../unit/producer/outgoing.js'

const MAX_MESSAGES = 12
const MAX_BYTES = 400
const PATIENCE_MS = 100

/** What is known of each message, beside what the room and the lines say. */
interface Given {
  readonly message: OutgoingMessage
  readonly call: number
  readonly at: number
  state: 'outside' | 'inside' | 'refused' | 'gone'
}

interface Model {
  readonly given: Given[]
}

class Real {
  readonly turn = new ManualTurn()
  readonly room = new Room(MAX_MESSAGES, MAX_BYTES, () => undefined)
  readonly known = new Set(['k1', 'k2'])
  /** What became of which message since it was last looked at. */
  readonly log: { readonly message: OutgoingMessage; readonly isRefused: boolean }[] = []
  readonly admission = new Admission({
    clock: systemClock,
    room: this.room,
    turn: this.turn,
    isEnding: () => false,
    enqueueTimeoutMs: PATIENCE_MS,
    topics: { knowsAny: true, isUnknown: (topic) => !this.known.has(topic) },
    admit: (messages, from, to) => {
      for (const message of messages.slice(from, to)) {
        if (message.isSettled) continue
        this.log.push({ message, isRefused: false })
        if (this.known.has(message.topic)) this.place(message)
        else this.room.measure(message)
      }
    },
    refuse: (message, cause) => {
      this.log.push({ message, isRefused: true })
      end(message, cause)
    },
    onWaiting: () => undefined,
  })

  place(message: OutgoingMessage): void {
    this.room.placed(message, dataBytesOf(message))
  }
}

function end(message: OutgoingMessage, cause?: KafkaProducerError): void {
  message.owner.settle(message.index, cause as never, 0)
}

/** Whether some of its call may have come in, had its fate or stood apart: the others' patience may count from then. */
function hasMoved(given: readonly Given[], { call }: Given): boolean {
  return given.some(
    (it) => it.call === call && (it.state === 'inside' || it.state === 'gone' || it.message.topic.startsWith('u')),
  )
}

/** Takes over what was admitted and refused since, and looks at all that must hold always. */
function check({ given }: Model, { room, log, known }: Real): void {
  const find = (message: OutgoingMessage) => given.find((it) => it.message === message) as Given
  let latest = -1
  for (const { message, isRefused } of log.splice(0)) {
    const it = find(message)
    expect(it.state).toBe('outside')
    it.state = isRefused ? 'refused' : 'inside'
    const isKnown = message.topic.startsWith('k')
    if (isRefused) {
      expect(performance.now() - it.at).toBeGreaterThanOrEqual(PATIENCE_MS)
      if (!isKnown || hasMoved(given, it)) continue
      expect(it.at).toBeGreaterThanOrEqual(latest)
      latest = it.at
      continue
    }
    const ahead = given.slice(0, given.indexOf(it)).filter(({ state }) => state === 'outside')
    // First come, first served: of a topic always, and of all those that were known from the start.
    expect(ahead.filter((other) => other.message.topic === message.topic)).toEqual([])
    if (isKnown) expect(ahead.filter((other) => other.message.topic.startsWith('k'))).toEqual([])
  }
  const inside = given.filter(({ state }) => state === 'inside')
  expect(room.messages).toBe(inside.length)
  const unknown = inside.filter(({ message }) => !known.has(message.topic))
  // One alone for an unknown topic may be larger than the share of those, and takes no more.
  const heldBy = ({ message }: Given) =>
    Math.min(dataBytesOf(message), known.has(message.topic) ? Infinity : MAX_BYTES / 2)
  const held = inside.map(heldBy)
  const sum = (bytes: readonly number[]) => bytes.reduce((one, other) => one + other, 0)
  expect(room.bytes).toBe(sum(held))
  expect(room.messages).toBeLessThanOrEqual(MAX_MESSAGES)
  // That one takes all that it comes to once its topic is known, and one for a known topic may come in alone.
  expect(room.bytes - Math.max(0, ...held)).toBeLessThanOrEqual(MAX_BYTES)
  expect(room.unknownMessages).toBe(unknown.length)
  expect(room.unknownBytes).toBe(sum(unknown.map(heldBy)))
  expect(unknown.length).toBeLessThanOrEqual(MAX_MESSAGES / 2)
  expect(room.unknownBytes).toBeLessThanOrEqual(MAX_BYTES / 2)
}

/** Nobody waits for room longer than they were promised. */
function checkPatience({ given }: Model): void {
  for (const it of given)
    if (it.state === 'outside' && it.message.topic.startsWith('k') && !hasMoved(given, it))
      expect(performance.now() - it.at).toBeLessThanOrEqual(PATIENCE_MS)
}

type Command = fc.Command<Model, Real>

function command(name: string, run: (model: Model, real: Real) => void): Command {
  return {
    check: () => true,
    run: (model, real) => {
      run(model, real)
      check(model, real)
    },
    toString: () => name,
  }
}

let calls = 0
const topic = fc.constantFrom('k1', 'k2', 'u1', 'u2')
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 120 }),
  fc.constant('x'.repeat(500)),
)
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

function pick(given: readonly Given[], at: number): Given | undefined {
  return given[Math.floor(at * given.length)]
}

const commands = fc.commands(
  [
    fc.array(fc.record({ topic, value }), { minLength: 1, maxLength: 8 }).map((messages) =>
      command(`submit ${messages.length} for ${messages.map((it) => it.topic).join()}`, ({ given }, { admission }) => {
        const owner = new Owner()
        const call = ++calls
        const outgoing = messages.map((message, index) => outgoingMessage(owner, index, message))
        for (const message of outgoing) given.push({ message, call, at: performance.now(), state: 'outside' })
        const [first] = outgoing
        if (outgoing.length === 1 && first !== undefined && admission.takeRoomNow(first)) admission.admitNow(first)
        else admission.submit(outgoing)
      }),
    ),
    place.map((at) =>
      command(`end one inside at ${at}`, ({ given }, { room, admission }) => {
        const it = pick(
          given.filter(({ state }) => state === 'inside'),
          at,
        )
        if (it === undefined) return
        end(it.message)
        it.state = 'gone'
        room.leave(it.message)
        admission.pump()
      }),
    ),
    place.map((at) =>
      command(`end one outside at ${at}`, ({ given }) => {
        const it = pick(
          given.filter(({ state }) => state === 'outside'),
          at,
        )
        if (it === undefined) return
        end(it.message)
        it.state = 'gone'
      }),
    ),
    fc.constantFrom('u1', 'u2').map((name) =>
      command(`learn ${name}`, ({ given }, real) => {
        real.known.add(name)
        for (const { message, state } of given) if (state === 'inside' && message.topic === name) real.place(message)
        real.admission.pump()
      }),
    ),
    fc.integer({ min: 1, max: 150 }).map((ms) =>
      command(`wait ${ms} ms`, (model, real) => {
        vi.advanceTimersByTime(ms)
        check(model, real)
        checkPatience(model)
      }),
    ),
    fc.constant(command('next turn', (_, { turn }) => turn.next())),
  ],
  { maxCommands: 60, size: 'max' },
)

describe('room and admission', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] }))
  afterEach(() => vi.useRealTimers())

  it('keep the bounds, serve who came first, refuse in the order of time, and hold nothing in the end', () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const model: Model = { given: [] }
        const real = new Real()
        fc.modelRun(() => ({ model, real }), steps)
        // All end: those inside give way to those outside, until there are none.
        for (let rounds = 0; rounds < 500; rounds++) {
          const inside = model.given.find(({ state }) => state === 'inside')
          if (inside === undefined) break
          inside.state = 'gone'
          end(inside.message)
          real.room.leave(inside.message)
          real.admission.pump()
          real.turn.next()
          check(model, real)
        }
        expect(model.given.filter(({ state }) => state === 'inside' || state === 'outside')).toEqual([])
        expect([real.room.messages, real.room.bytes]).toEqual([0, 0])
        expect([real.room.unknownMessages, real.room.unknownBytes]).toEqual([0, 0])
        expect(real.admission.isEmpty).toBe(true)
        real.admission.close()
      }),
      { numRuns: 300 },
    )
  })
})
