import { randomInt } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import {
  type RecordMetadata,
  DeliveryError,
  FailedToSendMessageError,
  Producer,
  type KafkaProducerError,
  type ProducerOptions,
} from '../../../src/index.js'
import type { EmbeddedKafka, ReceivedRequest, StoredRecord } from '../../../src/testing/index.js'

/** Waits so short that a test never notices them; everything else as users have it. */
const QUICK = { retryBackoffMs: 5, retryBackoffMaxMs: 20, deliveryTimeoutMs: 15_000, requestTimeoutMs: 5_000 } as const

/** A producer of strings, closed without waiting when the test ends. */
export function startProducer(
  brokers: EmbeddedKafka | string,
  options: Omit<ProducerOptions, 'brokers' | 'type'> = {},
): Producer {
  const bootstrap = typeof brokers === 'string' ? brokers : brokers.bootstrap
  const producer = new Producer({ brokers: bootstrap, ...QUICK, ...options })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  return producer
}

/** One of async mode, which the test closes. */
export function startAsync(
  kafka: EmbeddedKafka,
  options: Partial<ProducerOptions>,
): Producer<unknown, unknown, 'async'> {
  return new Producer({ retryBackoffMs: 5, retryBackoffMaxMs: 20, ...options, brokers: kafka.bootstrap, type: 'async' })
}

/** The error that the `send()` of a list must reject with because of its messages. */
export async function failureOf(sending: Promise<unknown>): Promise<FailedToSendMessageError<RecordMetadata>> {
  const error = await errorOf(sending)
  if (!(error instanceof FailedToSendMessageError)) throw error
  return error as FailedToSendMessageError<RecordMetadata>
}

/** The own error of the one message of a `send()`, which must fail. */
export async function deliveryErrorOf(sending: Promise<unknown>): Promise<DeliveryError> {
  const error = await errorOf(sending)
  if (!(error instanceof DeliveryError)) throw error
  return error
}

/** Whatever a promise must reject with. */
export async function errorOf(promise: Promise<unknown>): Promise<KafkaProducerError> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error as KafkaProducerError
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
}

/** What became of each message: its offset, or the code it failed with. */
export function outcomes(results: readonly (RecordMetadata | DeliveryError)[]): (bigint | string)[] {
  return results.map((result) => (result instanceof DeliveryError ? result.code : result.offset))
}

export function requestsOf(kafka: EmbeddedKafka, api: ReceivedRequest['api']): ReceivedRequest[] {
  return kafka.requests.filter((request) => request.api === api)
}

/** The partitions that a Produce request was for: `'orders-0'`. */
export function partitionsOf(request: ReceivedRequest): string[] {
  return request.topics.flatMap(({ topic, partitions }) => partitions.map(({ partition }) => `${topic}-${partition}`))
}

export function valuesOf(records: readonly StoredRecord[]): (string | undefined)[] {
  return records.map(({ value }) => value?.toString())
}

/** The values of one partition, in the order of their offsets. */
export function stored(kafka: EmbeddedKafka, topic: string, partition?: number): (string | undefined)[] {
  return valuesOf(kafka.records(topic).filter((record) => partition === undefined || record.partition === partition))
}

/** Every byte and message is given back once all is settled and answered. */
export function expectNothingHeld(producer: Producer): void {
  const { queueMessages, queueBytes } = producer.stats()
  expect({ queueMessages, queueBytes }).toEqual({ queueMessages: 0, queueBytes: 0 })
}

/** Resolves as soon as `holds` is true; looked at again in every turn of the event loop. */
export async function until(holds: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Lets everything that is ready run: some turns of the event loop, in which sockets are read too. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A promise, and whether it has settled yet. */
export function watched<T>(promise: Promise<T>): { promise: Promise<T>; readonly isSettled: boolean } {
  const state = { promise, isSettled: false }
  const settle = () => (state.isSettled = true)
  promise.then(settle, settle)
  return state
}

/** A TCP server that is no broker; returns its address. It is gone when the test ends. */
export async function plainServer(
  onConnection: (socket: Socket) => void,
  onFinished: (end: () => Promise<void>) => void = onTestFinished,
): Promise<{ address: string; connections: () => number }> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections }
}

/** An address on which nobody listens. */
export async function deadAddress(): Promise<string> {
  for (;;) {
    // Below those that systems choose from: other tests' servers, which let them choose, never get it meanwhile.
    const port = randomInt(15_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return `127.0.0.1:${port}`
  }
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
