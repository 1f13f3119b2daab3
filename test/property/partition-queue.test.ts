import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BrokerUnavailableError } from '../../src/errors.js'
import type { Batch, Freed } from '../../src/producer/queues/batch.js'
import { PartitionQueue, type PartitionBatch } from '../../src/producer/queues/partition-queue.js'
import { BATCH_OVERHEAD, type BufferSource } from '../../src/protocol/records/record-batch.js'
import { RecordCursor } from '../../src/protocol/records/record-cursor.js'
import { dataBytesOf, outgoingMessage, Owner } from '../unit/producer/outgoing.js'

const BATCH_BYTES = 300
const CAUSE = new BrokerUnavailableError('of the test')

/** Spoils what is given back, and knows of each buffer whether somebody has it. */
class PoisonedBuffers implements BufferSource {
  readonly free: Buffer[] = []
  private readonly given = new Set<Buffer>()
  /** What is being read must not come back. */
  readonly read = new Set<ArrayBufferLike>()

  take(size: number): Buffer {
    const index = this.free.findIndex(({ length }) => length >= size)
    const buffer = index < 0 ? Buffer.alloc(size + 64, 0xdd) : (this.free.splice(index, 1)[0] as Buffer)
    this.given.add(buffer)
    return buffer
  }

  giveBack(buffer: Buffer): void {
    if (buffer.length === 0) return
    expect(this.given.delete(buffer), 'given back twice').toBe(true)
    expect(this.read.has(buffer.buffer), 'given back while it is read').toBe(false)
    buffer.fill(0xdd)
    this.free.push(buffer)
  }
}

interface Message {
  readonly id: number
  readonly owner: Owner
  readonly index: number
  readonly bytes: number
}

/** The messages in the order given, and what of their room has been given back. */
interface Model {
  readonly messages: Message[]
  freedMessages: number
  freedBytes: number
}

/** A batch that is out, its bytes when it went, and the end of its reading. */
interface Sent {
  readonly batch: PartitionBatch
  readonly bytes: Buffer
  readonly copy: Buffer
  endReading: (() => void) | undefined
}

class Real {
  readonly buffers = new PoisonedBuffers()
  readonly queue: PartitionQueue
  readonly owners = [new Owner(), new Owner(), new Owner()]
  readonly counts = [0, 0, 0]
  out: Sent[] = []
  /** Those whose bytes are still read, though the batch may have its fate. */
  readers: Sent[] = []

  constructor(readonly maxInFlight: number) {
    this.queue = new PartitionQueue('orders', 3, { plainBytes: BATCH_BYTES, ratio: 1 }, this.buffers)
  }
}

const isSettled = ({ owner, index }: Message): boolean => owner.isSettled(index)

/** The messages of a batch, read from its bytes as they would go on the wire. */
function idsIn(bytes: Buffer): number[] {
  const ids: number[] = []
  const cursor = new RecordCursor(bytes, BATCH_OVERHEAD, bytes.length)
  while (cursor.next()) ids.push(Number(bytes.toString('utf8', cursor.keyAt, cursor.keyAt + cursor.keySize)))
  expect(bytes.readInt32BE(57)).toBe(ids.length)
  return ids
}

function free(model: Model, { messages, bytes }: Freed): void {
  expect(Math.min(messages, bytes)).toBeGreaterThanOrEqual(0)
  model.freedMessages += messages
  model.freedBytes += bytes
}

function batchesOf(real: Real, model: Model): Set<Batch> {
  const batches = new Set<Batch>()
  for (const { owner, index } of model.messages) {
    const batch = owner.batches[index]
    if (batch !== undefined && !batch.isSettled) batches.add(batch)
  }
  for (const { batch } of real.out) batches.add(batch)
  return batches
}

/** What holds after every step. */
function check(model: Model, real: Real): void {
  const { queue } = real
  for (const { owner, index } of model.messages) expect(owner.fates[index]?.length ?? 1).toBe(1)
  const bytes = model.messages.reduce((sum, message) => sum + message.bytes, 0)
  expect(queue.backlogBytes).toBe(bytes - model.freedBytes)
  let held = 0
  let unsettled = 0
  let inFlight = 0
  for (const batch of batchesOf(real, model)) {
    held += batch.dataBytes
    unsettled += batch.unsettled
    expect(idsIn(batch.sealed())).toHaveLength(batch.count)
    if (batch.isInFlight) inFlight++
  }
  expect(held).toBeLessThanOrEqual(queue.backlogBytes)
  expect(unsettled).toBe(model.messages.filter((message) => !isSettled(message)).length)
  expect(queue.isInFlight).toBe(inFlight > 0)
  // Nobody has written over what somebody reads.
  for (const { bytes: now, copy } of real.readers) expect(now.equals(copy)).toBe(true)
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

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[Math.floor(at * list.length)]
}

/** Takes the next batch, as a sender does: what has its fate is left out of it first. */
function send(model: Model, real: Real): void {
  const { queue, buffers, maxInFlight } = real
  if (!queue.isReady) return
  const next = queue.peekNext() as PartitionBatch
  if (next.hasEnded) free(model, queue.thin(next))
  if (next.isSettled) return
  const batch = queue.takeNext(0, undefined, maxInFlight)
  const bytes = batch.sealed()
  const ids = idsIn(bytes)
  // In order: nothing without a fate is left behind that was given before, but for what is in flight ahead of it.
  const ahead = new Set(real.out.flatMap((sent) => idsIn(sent.bytes)))
  const first = model.messages.filter((message) => !isSettled(message) && !ahead.has(message.id))
  expect(ids).toEqual(first.slice(0, ids.length).map(({ id }) => id))
  const reading = batch.beginReading()
  const sent: Sent = { batch, bytes, copy: Buffer.from(bytes), endReading: undefined }
  sent.endReading = () => {
    real.readers = real.readers.filter((it) => it !== sent)
    if (!real.readers.some((it) => it.bytes.buffer === bytes.buffer)) buffers.read.delete(bytes.buffer)
    batch.endReading(reading)
  }
  buffers.read.add(bytes.buffer)
  real.readers.push(sent)
  real.out.push(sent)
}

/** Answers to batches in flight, in any order. */
function answer(real: Real, at: number): PartitionBatch | undefined {
  const sent = pick(real.out, at)
  real.out = real.out.filter((it) => it !== sent)
  return sent?.batch
}

function acknowledge(model: Model, { queue }: Real, batch: PartitionBatch): void {
  free(
    model,
    queue.acknowledged(batch, { baseOffset: 7n, logAppendTime: -1, hasTimestamps: true, acknowledged: true }, 0),
  )
}

const timestamp = fc.oneof(fc.constant(null), fc.constantFrom(0, 1_700_000_000_500, 2 ** 52, -(2 ** 51)))
const append = fc
  .record({
    by: fc.integer({ min: 0, max: 2 }),
    value: fc.oneof(fc.constant(null), fc.string({ unit: 'binary', maxLength: 60 }), fc.uint8Array({ maxLength: 400 })),
    headers: fc.option(fc.tuple(fc.constant('trace'), fc.string({ unit: 'grapheme', maxLength: 9 }))),
    timestamp,
  })
  .map(({ by, ...given }) =>
    command(`append for ${by}: ${fc.stringify(given)}`, ({ messages }, { owners, counts, queue }) => {
      const owner = owners[by] as Owner
      const index = (counts[by] as number)++
      const message = outgoingMessage(owner, index, { key: String(messages.length), ...given })
      const bytes = dataBytesOf(message)
      messages.push({ id: messages.length, owner, index, bytes })
      expect(queue.append(message)).toBe(bytes)
    }),
  )
const commands = fc.commands(
  [
    append,
    append,
    append,
    fc.constant(command('send', send)),
    fc.constant(command('send', send)),
    fc.constant(command('send', send)),
    place.map((at) =>
      command(`acknowledged at ${at}`, (model, real) => {
        const batch = answer(real, at)
        if (batch !== undefined) acknowledge(model, real, batch)
      }),
    ),
    place.map((at) =>
      command(`failed at ${at}`, (model, real) => {
        const batch = answer(real, at)
        if (batch !== undefined) free(model, real.queue.failed(batch, CAUSE, 0))
      }),
    ),
    fc.tuple(place, fc.boolean()).map(([at, backsOff]) =>
      command(`returned at ${at}${backsOff ? ', to back off' : ''}`, (_, real) => {
        const batch = answer(real, at)
        if (batch === undefined) return
        real.queue.returned(batch)
        if (backsOff) real.queue.backOff()
      }),
    ),
    place.map((at) =>
      command(`split at ${at}`, (model, real) => {
        const batch = answer(real, at)
        if (batch === undefined) return
        if (batch.count > 1) real.queue.split(batch)
        else free(model, real.queue.failed(batch, CAUSE, 0))
      }),
    ),
    fc.constant(
      command('halve the next', (_, { queue }) => {
        const next = queue.isReady ? queue.peekNext() : undefined
        if (next !== undefined && next.count > 1 && next.wasSent) queue.halve(next)
      }),
    ),
    fc.tuple(place, fc.boolean()).map(([at, thins]) =>
      command(`end the one at ${at}${thins ? ' and thin' : ''}`, (model, { queue }) => {
        const message = pick(
          model.messages.filter((it) => !isSettled(it)),
          at,
        )
        if (message === undefined) return
        const batch = message.owner.batches[message.index] as PartitionBatch
        message.owner.settle(message.index, batch.deliveryError(CAUSE))
        batch.countEnded()
        if (thins && !batch.isInFlight) free(model, queue.thin(batch))
      }),
    ),
    place.map((at) => command(`read at ${at}`, (_, { readers }) => pick(readers, at)?.endReading?.())),
    fc.integer({ min: -1, max: 2 }).map((leader) =>
      command(`led by ${leader}`, (_, { queue }) => {
        queue.isLedBy(leader)
      }),
    ),
    fc.constant(
      command('go on', (_, { queue }) => {
        queue.goOn()
      }),
    ),
  ],
  { maxCommands: 80, size: 'max' },
)

describe('the queue of a partition', () => {
  it.each([1, 5])('keeps order, fates, bytes and buffers, with %d in flight', (maxInFlight) => {
    fc.assert(
      fc.property(commands, (steps) => {
        const model: Model = { messages: [], freedMessages: 0, freedBytes: 0 }
        const real = new Real(maxInFlight)
        real.queue.isLedBy(1)
        fc.modelRun(() => ({ model, real }), steps)
        real.queue.isLedBy(1)
        real.queue.goOn()
        while (!real.queue.isEmpty) {
          send(model, real)
          const batch = answer(real, 0)
          if (batch !== undefined) acknowledge(model, real, batch)
          check(model, real)
        }
        expect(real.queue.backlogBytes).toBe(0)
        expect(model.freedMessages).toBe(model.messages.length)
        expect(model.messages.filter((message) => !isSettled(message))).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})
