import { describe, expect, it } from 'vitest'
import { Producer, ProducerConfig, type ProducerOptions } from '../../../../src/index.js'
import { OPTIONS } from '../../../../src/producer/config/option-table.js'

const brokers = 'localhost:9092'
const names = Object.keys(OPTIONS).filter((name) => name !== 'brokers')
type Options = ProducerOptions

/** Numbers, texts and flags; objects are made anew for each config. */
function plain(config: ProducerConfig): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => typeof value !== 'object'))
}

describe('an option that is undefined is not given', () => {
  it.each(names)('%s', (name) => {
    const options = { brokers, [name]: undefined } as unknown as Options
    expect(plain(new ProducerConfig(options))).toEqual(plain(new ProducerConfig({ brokers })))
  })

  it('all of them at once, in sync mode', () => {
    const options = Object.fromEntries(names.map((name) => [name, undefined]))
    expect(plain(new ProducerConfig({ ...options, brokers }))).toEqual(plain(new ProducerConfig({ brokers })))
  })

  it('beside a properties file: what the file says stays', () => {
    const file = 'bootstrap.servers=kafka:9093\nacks=1\nclient.id=mine\nsecurity.protocol=SSL\nrequest.timeout.ms=7\n'
    const options = Object.fromEntries(Object.keys(OPTIONS).map((name) => [name, undefined]))
    const config = ProducerConfig.fromProperties(file, options)
    expect(config).toMatchObject({
      brokers: [{ host: 'kafka', port: 9093 }],
      acks: 1,
      clientId: 'mine',
      requestTimeoutMs: 7,
    })
    expect(config.ssl?.reveal()).toBe(true)
    expect(ProducerConfig.fromProperties(file, undefined).ssl?.reveal()).toBe(true)
  })

  it('of compression, of a topic’s compression and of TLS', () => {
    const compression = { type: 'gzip', level: undefined, fallback: undefined }
    const config = new ProducerConfig({
      brokers,
      compression,
      topicCompression: { orders: undefined as never },
      ssl: { rejectUnauthorized: undefined, servername: undefined, minVersion: undefined },
    })
    expect(config.compressionChoice.of('orders')?.codec.name).toBe('gzip')
    expect(config.ssl?.reveal()).toEqual({})
  })

  it('of flush(), close() and a stream', async () => {
    const producer = new Producer({ brokers })
    await producer.flush({ timeoutMs: undefined })
    const stream = producer.writable({ topic: undefined, inFlight: undefined })
    expect(stream.writableHighWaterMark).toBe(16)
    stream.destroy()
    await producer.close({ timeoutMs: undefined })
  })

  it('but a name that is no option is refused, whatever its value', () => {
    expect(() => new ProducerConfig({ brokers, sll: undefined } as never)).toThrow("unknown option 'sll'")
  })
})

describe('an option that is inherited is given', () => {
  class Settings {
    readonly brokers = brokers
    get ssl() {
      return true
    }
    get acks() {
      return undefined
    }
    describe() {
      return 'mine'
    }
  }

  it.each([
    ['an accessor of a class', () => new Settings()],
    ['a field of a prototype', () => Object.assign(Object.create({ ssl: true }) as object, { brokers })],
    ['a field of a prototype without one', () => Object.create({ __proto__: null, ssl: true, brokers }) as object],
  ])('%s', (_, options) => {
    const config = new ProducerConfig(options() as Options)
    expect(config.ssl?.reveal()).toBe(true)
    expect(config.acks).toBe(-1)
  })

  it('but for what somebody put into Object.prototype', () => {
    const prototype = Object.prototype as { sslish?: boolean }
    prototype.sslish = true
    try {
      expect(() => new ProducerConfig({ brokers })).not.toThrow()
    } finally {
      delete prototype.sslish
    }
  })
})
