import { describe, expect, it } from 'vitest'
import {
  type DeliveryError,
  type FailedToSendMessageError,
  type NotQueuedError,
  Producer,
  type DeliveryReport,
  type Encoder,
  type ProducerOptions,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, stored, turns, watched } from '../support/producers.js'

/** Values are encoded at once, but for 'bad', whose encoder rejects, and 'slow', whose encoder waits for a gate. */
function gatedEncoder(): { encoder: Encoder; open: () => void } {
  let open!: () => void
  const gate = new Promise<void>((resolve) => (open = resolve))
  const encoder = {
    encode(value: unknown) {
      if (value === 'bad') return Promise.reject(new Error('no'))
      if (value === 'thrown') throw new Error('no')
      if (value === 'late') return gate.then(() => Promise.reject(new Error('late')))
      return value === 'slow' ? gate.then(() => 'slow') : (value as string)
    },
  }
  return { encoder, open }
}

async function start(options: Partial<ProducerOptions> = {}) {
  const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
  const reports: string[] = []
  const { encoder, open } = gatedEncoder()
  const producer = new Producer({
    brokers: kafka.bootstrap,
    encoder,
    onDelivery: ({ message, error }: DeliveryReport) => void reports.push(`${String(message.value)} ${error?.code}`),
    ...options,
    type: 'async',
  })
  return { kafka, producer, reports, open }
}

const of = (...values: string[]) => values.map((value) => ({ topic: 't', value }))

describe('async: a call ends while one of its messages still encodes, and the encoder of another has failed', () => {
  it.each(['bad', 'thrown'])('by its signal: %s has one fate, and the other is refused', async (bad) => {
    const { producer, reports, open } = await start()
    const controller = new AbortController()
    const sending = errorOf(producer.send(of(bad, 'slow'), { signal: controller.signal }))
    await turns()
    controller.abort()
    const error = (await sending) as NotQueuedError
    expect(error).toMatchObject({ code: 'ABORTED', refused: [1], taken: [0] })
    open()
    await producer.close()
    expect(reports).toEqual([`${bad} SERIALIZATION_FAILED`])
    expect(producer.stats()).toMatchObject({ failed: 2, queueMessages: 0 })
  })

  it('by its deadline', async () => {
    const { producer, reports, open } = await start({ deliveryTimeoutMs: 50, requestTimeoutMs: 50 })
    const error = await errorOf(producer.send(of('bad', 'slow')))
    expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', refused: [1], taken: [0] })
    open()
    await producer.close()
    expect(reports).toEqual(['bad SERIALIZATION_FAILED'])
  })

  it('by a close, which gives back what was not reported', async () => {
    const { producer, reports } = await start()
    const messages = of('bad', 'slow')
    const sending = errorOf(producer.send(messages))
    await turns()
    const { unsent } = await producer.close({ timeoutMs: 0 })
    expect(await sending).toMatchObject({ code: 'PRODUCER_CLOSED', refused: [1], taken: [0] })
    expect(unsent).toEqual([messages[1]])
    expect(reports).toEqual(['bad SERIALIZATION_FAILED'])
  })

  it('by a callback that hears of the failure and aborts', async () => {
    const controller = new AbortController()
    const reports: string[] = []
    const { producer } = await start({
      onDelivery: ({ message, error }: DeliveryReport) => {
        reports.push(`${String(message.value)} ${error?.code}`)
        controller.abort()
      },
    })
    const sending = errorOf(producer.send(of('bad', 'thrown', 'slow'), { signal: controller.signal }))
    await turns()
    controller.abort()
    await sending
    await producer.close()
    expect(reports.sort()).toEqual(['bad SERIALIZATION_FAILED', 'thrown SERIALIZATION_FAILED'])
  })
})

describe('async: an encoder that fails after its call has ended tells nobody', () => {
  it('after a close', async () => {
    const { producer, reports, open } = await start()
    const sending = errorOf(producer.send(of('late')))
    await turns()
    await producer.close({ timeoutMs: 0 })
    expect(await sending).toMatchObject({ code: 'PRODUCER_CLOSED', refused: [0] })
    open()
    await turns()
    expect(reports).toEqual([])
  })

  it('after an abort', async () => {
    const { producer, reports, open } = await start()
    const controller = new AbortController()
    const sending = errorOf(producer.send(of('late', 'slow'), { signal: controller.signal }))
    await turns()
    controller.abort()
    expect(await sending).toMatchObject({ code: 'ABORTED', refused: [0, 1], taken: [] })
    open()
    await turns()
    await producer.close()
    expect(reports).toEqual([])
  })
})

describe('async: an encoder that aborts the signal of its own call, after another has failed', () => {
  it.each<[string, (producer: { close(): Promise<unknown> }) => object]>([
    ['and closes the producer', (producer) => { void producer.close(); return {} }], // prettier-ignore
    ['before a message that is invalid', () => ({ partition: -1 })],
  ])('%s: each message has one fate', async (_, then) => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const reports: string[] = []
    const controller = new AbortController()
    const producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      encoder: {
        encode(value: unknown) {
          if (value === 'thrown') throw new Error('no')
          if (value !== 'aborting') return value as string
          controller.abort()
          Object.assign(last, then(producer))
          return 'aborting'
        },
      },
      onDelivery: ({ message, error }) => void reports.push(`${String(message.value)} ${error?.code}`),
    })
    const last = { topic: 't', value: 'last' }
    const messages = [...of('thrown', 'aborting'), last]
    const error = await errorOf(producer.send(messages, { signal: controller.signal }))
    expect(error).toMatchObject({ code: 'ABORTED', refused: [1, 2], taken: [0] })
    await producer.close()
    expect(reports).toEqual(['thrown SERIALIZATION_FAILED'])
    expect(stored(kafka, 't')).toEqual([])
  })
})

describe('an encoder that aborts the signal of its own long call, when the turn is used up', () => {
  const cases: [string, (producer: { close(): Promise<unknown> }) => object][] = [
    ['and closes the producer', (producer) => { void producer.close(); return {} }], // prettier-ignore
    ['before a message that is invalid', () => ({ partition: -1 })],
  ]

  async function start(type: 'sync' | 'async', then: (producer: { close(): Promise<unknown> }) => object) {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const reports: string[] = []
    const controller = new AbortController()
    const last = { topic: 't', value: 'last' }
    const producer = new Producer({
      brokers: kafka.bootstrap,
      type,
      encoder: {
        encode(value: unknown) {
          if (value === 'thrown') throw new Error('no')
          if (value !== 'aborting') return value as string
          const end = performance.now() + 10
          while (performance.now() < end);
          controller.abort()
          Object.assign(last, then(producer))
          return 'aborting'
        },
      },
      onDelivery: ({ message, error }) => void reports.push(`${message.value as string} ${error?.code}`),
    } as ProducerOptions)
    // So many that it looks at the clock: the turn begins here.
    const before = producer.send(of(...new Array<string>(100).fill('before')))
    const rest = [...of(...new Array<string>(300).fill('x'), 'aborting'), last]
    return { producer, reports, before, rest, signal: controller.signal }
  }

  it.each(cases)('sync, %s: each message has one fate', async (_, then) => {
    const { producer, before, rest, signal } = await start('sync', then)
    const error = await errorOf(producer.send(rest, { signal }))
    await producer.close()
    await before
    expect(error).toMatchObject({ code: 'FAILED_TO_SEND' })
    const { results } = error as FailedToSendMessageError
    expect(results.map((fate) => (fate as DeliveryError).code)).toEqual(rest.map(() => 'ABORTED'))
  })

  it.each(cases)('async, %s: each message has one fate', async (_, then) => {
    const { producer, reports, rest, signal, before } = await start('async', then)
    const error = await errorOf(producer.send([...of('thrown'), ...rest], { signal }))
    await producer.close()
    await before
    expect(error).toMatchObject({ code: 'ABORTED' })
    const { taken, refused } = error as NotQueuedError
    expect([...taken, ...refused].sort((a, b) => a - b)).toEqual([...new Array(rest.length + 1).keys()])
    expect(reports.filter((report) => !report.startsWith('before'))).toHaveLength(taken.length)
  })
})

it('what a callback sends, while its message could not be encoded, comes after the others of that call', async () => {
  let again = true
  const { kafka, producer, open } = await start({
    onDelivery: ({ error }: DeliveryReport) => {
      if (error === undefined || !again) return
      again = false
      void producer.send(of('from the callback'))
    },
  })
  const sending = producer.send(of('thrown', 'bad', 'slow', 'm'))
  await turns()
  open()
  await sending
  await producer.close()
  expect(stored(kafka, 't')).toEqual(['slow', 'm', 'from the callback'])
})

it.each(['sync', 'async'] as const)(
  '%s: an encoder that aborts the signal of its own call ends it, and later calls go on',
  async (type) => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    let controller = new AbortController()
    const encoder = {
      encode(value: unknown) {
        if (value === 'aborts') controller.abort()
        return value === 'never' ? new Promise<string>(() => undefined) : (value as string)
      },
    }
    await using producer = new Producer({ brokers: kafka.bootstrap, type, encoder })
    for (const values of [['aborts'], ['m', 'aborts'], ['aborts', 'never']]) {
      // prettier-ignore
      controller = new AbortController()
      const error = await errorOf(producer.send(of(...values), { signal: controller.signal }))
      expect(type === 'sync' ? error.cause : error).toMatchObject({ code: 'ABORTED' })
    }
    await producer.send(of('next'))
    await producer.flush()
    expect(stored(kafka, 't')).toEqual(['next'])
  },
)

describe('a long list', () => {
  /** The most that a count grows by in one turn of the event loop, until the work is done. */
  async function mostInATurn(count: () => number, work: () => Promise<unknown>): Promise<number> {
    let before = count()
    const state = watched(work())
    let most = count() - before
    while (!state.isSettled) {
      before = count()
      await turns(1)
      most = Math.max(most, count() - before)
    }
    return most
  }

  it.each(['thrown', 'bad'])('that can not be encoded (%s) is told in several turns', async (bad) => {
    const { producer, reports } = await start()
    const send = () => producer.send(of(...Array<string>(20_000).fill(bad)))
    expect(await mostInATurn(() => producer.stats().failed, send)).toBeLessThan(20_000)
    await producer.flush()
    expect(reports).toEqual(Array(20_000).fill(`${bad} SERIALIZATION_FAILED`))
    await producer.close()
  })

  it('has one fate each where the producer is closed while it is told', async () => {
    const fates = new Map<unknown, number>()
    let closed: ReturnType<Producer['close']> | undefined
    const { producer } = await start({
      encoder: { encode: () => Promise.reject(new Error('no')) },
      onDelivery: ({ message: { value } }) => {
        fates.set(value, (fates.get(value) ?? 0) + 1)
        closed ??= producer.close({ timeoutMs: 0 })
      },
    })
    await producer.send(of(...Array.from({ length: 20_000 }, (_, i) => `${i}`)))
    expect(await closed).toMatchObject({ unsent: [], failed: 20_000 })
    expect(fates.size).toBe(20_000)
    expect(new Set(fates.values())).toEqual(new Set([1]))
  })

  it('whose encoder takes its time leaves the event loop its turns', async () => {
    let encoded = 0
    const encoder = {
      encode(value: unknown) {
        for (const end = performance.now() + 0.1; performance.now() < end;);
        encoded++
        return value as string
      },
    }
    const { producer } = await start({ encoder })
    const send = () => producer.send(of(...Array<string>(1_100).fill('x')))
    expect(await mostInATurn(() => encoded, send)).toBeLessThan(200)
    await producer.close()
  })
})
