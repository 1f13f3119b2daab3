import { afterEach, expect, it, vi } from 'vitest'

const own = Symbol
const ASYNC_DISPOSE = Symbol.for('Symbol.asyncDispose')
const DISPOSE = Symbol.for('Symbol.dispose')

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

/** As other realms than Node's own have it in Node 20 and 22. Not a proxy of Symbol, which may not hide what is fixed there. */
function bareSymbol(): unknown {
  return new Proxy(() => undefined, {
    get: (_, name) => (name === 'asyncDispose' || name === 'dispose' ? undefined : (Reflect.get(own, name) as unknown)),
    apply: (_, __, [description]: [string?]) => own(description),
  })
}

const end = (open: object, symbol: symbol): unknown =>
  Reflect.apply(Reflect.get(open, symbol) as () => unknown, open, [])

it('where a realm has no symbols for `using`, what compilers look for there is found', async () => {
  vi.stubGlobal('Symbol', bareSymbol())
  vi.resetModules()
  const { Producer, TransactionalProducer } = await import('../../../src/index.js')
  const { EmbeddedKafka } = await import('../../../src/testing/index.js')
  vi.unstubAllGlobals()

  const kafka = await EmbeddedKafka.start()
  const producer = new Producer({ brokers: kafka.bootstrap })
  const fault = kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')
  const refusal = kafka.refuseConnections(1)
  const transactional = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'x' })
  const frozen = kafka.freezeMetadata()
  for (const lasting of [fault, refusal, frozen]) end(lasting, DISPOSE)
  await producer.send({ topic: 'orders', value: 'x' })
  expect(fault.hits).toBe(0)

  // One that has not ended would be in the way of the next.
  for (let time = 0; time < 2; time++) await end(await transactional.begin(), ASYNC_DISPOSE)

  for (const open of [producer, transactional, kafka]) await end(open, ASYNC_DISPOSE)
  await expect(producer.send({ topic: 'orders', value: 'x' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
  await expect(transactional.begin()).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
  expect(() => kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')).toThrow(/stopped/)
})
