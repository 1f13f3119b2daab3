/**
 * Mutated responses and hostile servers against the client's side:
 *
 *   npm run fuzz                                   // 1,000,000 responses, then each hostile server
 *   npm run fuzz -- --count 50000 --seed 7
 *
 * Every response must decode or fail with a MalformedResponseError; memory must not grow. The seed is printed, and
 * brings the same bytes again.
 */
import { parseArgs } from 'node:util'
import { DeliveryError, MalformedResponseError, Producer } from '../../src/index.js'
import { decodeResponseFrame, FrameSplitter } from '../../src/protocol/frame.js'
import { HostileServer, MANNERS, METADATA_MANNERS } from '../embedded/support/hostile-servers.js'
import { apisWithSchemas, versionsOf } from '../property/all-apis.js'
import { encodeMessage } from '../property/schema-codec.js'
import { fullMessage } from '../property/schema-messages.js'

const MAX_GROWTH = 200 * 1024 * 1024
const MAX_FRAME = 1 << 20
const TELLING = [0, 1, 0x7f, 0x80, 0xfe, 0xff]

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
  let result = Buffer.from(bytes)
  for (let left = 1 + random(4); left > 0; left--) {
    const at = random(result.length + 1)
    switch (random(6)) {
      case 0:
        if (at < result.length) result[at] = random(256)
        break
      case 1:
        if (at < result.length) result[at] = TELLING[random(TELLING.length)] as number
        break
      case 2:
        result = Buffer.from(result.subarray(0, at))
        break
      case 3:
        result = Buffer.concat([result.subarray(0, at), Buffer.from([random(256)]), result.subarray(at)])
        break
      case 4:
        result = Buffer.concat([result.subarray(0, at), result.subarray(Math.min(at + 1 + random(8), result.length))])
        break
      default:
        result = Buffer.concat([result.subarray(0, at), result.subarray(random(result.length + 1))])
    }
  }
  return result
}

function fuzzResponses(count: number, random: (below: number) => number): { valid: number; malformed: number } {
  const samples = apisWithSchemas().flatMap(({ api, schema }) =>
    versionsOf(api).map((version) => {
      const body = encodeMessage(schema.response, version, fullMessage(schema.response.fields, version), {
        unknownTags: true,
      })
      const header = version >= api.flexibleFrom && api.name !== 'ApiVersions' ? [0, 0, 0, 1, 0] : [0, 0, 0, 1]
      return { api, version, frame: Buffer.concat([Buffer.from(header), body]) }
    }),
  )
  let valid = 0
  let malformed = 0
  for (let i = 0; i < count; i++) {
    const { api, version, frame } = samples[random(samples.length)] as (typeof samples)[number]
    const bytes = mutated(frame, random)
    const began = performance.now()
    try {
      // Every tenth comes in pieces, with a size in front that may be wrong as well.
      if (i % 10 === 0) splitIntoPieces(bytes, random)
      if (bytes.length < 4) continue
      decodeResponseFrame(api, version, bytes)
      valid++
    } catch (error) {
      if (!(error instanceof MalformedResponseError)) {
        console.error(`response ${i}, ${api.name} v${version}: ${bytes.toString('hex')}`)
        throw error
      }
      malformed++
    }
    if (performance.now() - began > 2_000)
      throw new Error(
        `response ${i}, ${api.name} v${version} took ${Math.round(performance.now() - began)} ms: ${bytes.toString('hex')}`,
      )
  }
  return { valid, malformed }
}

function splitIntoPieces(bytes: Buffer, random: (below: number) => number): void {
  const size = Buffer.alloc(4)
  size.writeInt32BE(random(4) === 0 ? random(0xffffffff) | 0 : bytes.length)
  const stream = Buffer.concat([size, bytes])
  const splitter = new FrameSplitter(0, MAX_FRAME)
  for (let at = 0; at < stream.length;) {
    const length = 1 + random(9)
    splitter.push(stream.subarray(at, at + length), () => undefined)
    at += length
  }
}

async function sufferHostileServers(): Promise<void> {
  for (const [manner, act] of Object.entries({ ...MANNERS, ...METADATA_MANNERS })) {
    for (const saysVersions of [false, true]) {
      const hostile = await HostileServer.start(act, { saysVersions })
      const began = performance.now()
      const producer = new Producer({
        brokers: hostile.address,
        requestTimeoutMs: 200,
        connectTimeoutMs: 200,
        deliveryTimeoutMs: 600,
        sasl: { mechanism: 'scram-sha-256', username: 'a', password: 'b' },
      })
      const error: unknown = await producer.send({ topic: 't', value: 'v' }).catch((cause: unknown) => cause)
      const ms = performance.now() - began
      await producer.close({ timeoutMs: 0 })
      await hostile.stop()
      if (!(error instanceof DeliveryError) || ms > 3_000)
        throw new Error(`a peer that ${manner}: after ${Math.round(ms)} ms ${String(error)}`)
    }
  }
}

const { values } = parseArgs({ options: { count: { type: 'string', default: '1000000' }, seed: { type: 'string' } } })
const count = Number(values.count)
const seed = Number(values.seed ?? Math.floor(Math.random() * 0xffffffff))
console.log(`seed ${seed}, ${count} responses`)
const random = randomOf(seed)
fuzzResponses(Math.min(count, 20_000), random)
const before = process.memoryUsage().rss
const began = performance.now()
const { valid, malformed } = fuzzResponses(count, random)
console.log(
  `${count} responses in ${Math.round((performance.now() - began) / 1000)} s: ${malformed} malformed, ${valid} still valid`,
)
await sufferHostileServers()
const growth = process.memoryUsage().rss - before
console.log(
  `${Object.keys({ ...MANNERS, ...METADATA_MANNERS }).length * 2} hostile servers; memory ${growth >= 0 ? 'grew' : 'shrank'} by ${Math.abs(Math.round(growth / 1024 / 1024))} MB`,
)
if (growth > MAX_GROWTH) throw new Error('memory grew')
