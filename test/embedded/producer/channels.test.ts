import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  Producer,
  type BatchTrace,
  type ConnectTrace,
  type MetadataTrace,
  type RequestTrace,
  type SendTrace,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, startProducer, turns } from '../support/producers.js'

/* What subscribers of diagnostics_channel are given: one object from start to end, and what each channel promises in it. */

type Moment = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error'

interface Published<Trace> {
  readonly moment: Moment
  readonly trace: Trace
}

/** What is published on a channel until the test ends. */
function listen<Trace extends object>(
  name: string,
  onStart: (trace: Trace) => void = () => undefined,
): Published<Trace>[] {
  const published: Published<Trace>[] = []
  const at = (moment: Moment) => (trace: object) => {
    published.push({ moment, trace: trace as Trace })
    if (moment === 'start') onStart(trace as Trace)
  }
  const subscribers = {
    start: at('start'),
    end: at('end'),
    asyncStart: at('asyncStart'),
    asyncEnd: at('asyncEnd'),
    error: at('error'),
  }
  const channel = tracingChannel<unknown, object>(`kafka-producer:${name}`)
  channel.subscribe(subscribers)
  onTestFinished(() => void channel.unsubscribe(subscribers))
  return published
}

const moments = (published: readonly Published<unknown>[]) => published.map(({ moment }) => moment)
const traces = <T>(published: readonly Published<T>[]) => [...new Set(published.map(({ trace }) => trace))]

describe('diagnostics_channel', () => {
  it('has each send, question, connection, request and batch as one object from start to end', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const sends = listen<SendTrace>('send')
    const batches = listen<BatchTrace>('batch')
    const requests = listen<RequestTrace>('request')
    const connects = listen<ConnectTrace>('connect')
    const questions = listen<MetadataTrace>('metadata')
    const producer = startProducer(kafka, { clientId: 'shop' })
    const message = { topic: 'orders', value: 'one' }
    const [metadata] = await producer.send(message)
    await turns()
    for (const published of [sends, batches, questions])
      expect(moments(published)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    for (const all of [sends, batches, requests, connects, questions])
      for (const trace of traces<object>(all)) {
        expect(moments((all as Published<object>[]).filter((one) => one.trace === trace))).toEqual([
          'start',
          'end',
          'asyncStart',
          'asyncEnd',
        ])
        expect(trace).toMatchObject({ clientId: 'shop' })
      }
    expect(traces(sends)).toMatchObject([{ type: 'sync', messages: [message], result: [metadata] }])
    expect(traces(batches)).toMatchObject([
      { topic: 'orders', partition: 0, brokerId: 1, attempt: 1, messages: 1, isRetried: false },
    ])
    expect(traces(requests).map(({ api }) => api)).toEqual(
      expect.arrayContaining(['ApiVersions', 'Metadata', 'Produce']),
    )
    expect(traces(connects)).toMatchObject([{ broker: kafka.bootstrap }, { broker: kafka.bootstrap }])
    expect(traces(questions)).toMatchObject([{ topics: ['orders'] }])
  })

  it('has what failed with its error, and an attempt that is retried as one of its own', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const sends = listen<SendTrace>('send')
    const batches = listen<BatchTrace>('batch')
    kafka.fail({ api: 'Produce', times: 1 }, 'NOT_ENOUGH_REPLICAS')
    await producer.send({ topic: 'orders', value: '1' })
    kafka.fail({ api: 'Produce', times: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    await turns()
    expect(traces(batches)).toMatchObject([
      { attempt: 1, isRetried: true, error: { code: 'NOT_ENOUGH_REPLICAS' } },
      { attempt: 2, isRetried: false, error: undefined },
      { attempt: 1, isRetried: false, error: { code: 'TOPIC_AUTHORIZATION_FAILED' } },
    ])
    expect(moments(batches.slice(0, 5))).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    expect(moments(sends.slice(4))).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    expect(traces(sends)[1]?.error).toBe(error)
  })

  it('lets a subscriber of :send add headers, and changes no message of the caller', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    listen<SendTrace>('send', (trace) => {
      trace.messages.forEach((_, index) => trace.addHeaders(index, { traceparent: `t-${index}` }))
      trace.addHeaders(trace.messages.length, { lost: '1' })
    })
    const messages = [
      { topic: 'orders', value: '1' },
      { topic: 'orders', value: '2', headers: { source: 'shop', list: ['a', 'b'] } },
      { topic: 'orders', value: '3', headers: new Map([['source', 'map']]) },
      { topic: 'orders', value: '4', headers: null },
    ]
    const before = structuredClone(messages)
    await producer.send(messages)
    expect(messages).toEqual(before)
    const headers = kafka
      .records('orders')
      .map((record) => record.headers.map(({ key, value }) => [key, String(value)]))
    expect(headers).toEqual([
      [['traceparent', 't-0']],
      [
        ['source', 'shop'],
        ['list', 'a'],
        ['list', 'b'],
        ['traceparent', 't-1'],
      ],
      [
        ['source', 'map'],
        ['traceparent', 't-2'],
      ],
      [['traceparent', 't-3']],
    ])
  })

  it('refuses a message as ever where headers were added, and takes none once it has begun', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    let late: SendTrace | undefined
    listen<SendTrace>('send', (trace) => {
      late = trace
      trace.addHeaders(0, { traceparent: 't' })
    })
    const wrong = { topic: 'orders', value: '1', headers: 7 as unknown as null }
    await expect(producer.send(wrong)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    const throws = {
      topic: 'orders',
      value: '1',
      get headers(): never {
        throw new Error('no')
      },
    }
    await expect(producer.send(throws)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    late?.addHeaders(0, { late: '1' })
    await sending
    expect(kafka.records('orders').map((record) => record.headers.map(({ key }) => key))).toEqual([['traceparent']])
  })

  it('runs the send in the context that a store gives it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const storage = new AsyncLocalStorage<string>()
    const { start } = tracingChannel<unknown, object>('kafka-producer:send')
    start.bindStore(storage, () => 'span')
    onTestFinished(() => void start.unbindStore(storage))
    let seen: string | undefined
    const encoder = {
      encode: (value: string | null) => {
        seen = storage.getStore()
        return value
      },
    }
    const producer = new Producer<string>({ brokers: kafka.bootstrap, encoder })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: '1' })
    expect(seen).toBe('span')
  })

  it('in async mode the send ends when it is queued', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const sends = listen<SendTrace>('send')
    const producer = new Producer({ brokers: kafka.bootstrap, type: 'async', lingerMs: 0 })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: '1' })
    expect(moments(sends)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    expect(traces(sends)).toMatchObject([{ type: 'async' }])
  })
})
