/**
 * The few requests that running a cluster needs, written by hand, so that the brokers are judged ready without the code that
 * they are going to test. Every request has a connection of its own.
 */
import { connect } from 'node:net'

const parts = {
  int8: (value: number): Buffer => {
    const b = Buffer.alloc(1)
    b.writeInt8(value)
    return b
  },
  int16: (value: number): Buffer => {
    const b = Buffer.alloc(2)
    b.writeInt16BE(value)
    return b
  },
  int32: (value: number): Buffer => {
    const b = Buffer.alloc(4)
    b.writeInt32BE(value)
    return b
  },
  string: (value: string): Buffer => Buffer.concat([parts.int16(Buffer.byteLength(value)), Buffer.from(value)]),
  array: (items: readonly Buffer[]): Buffer => Buffer.concat([parts.int32(items.length), ...items]),
}
const { int8, int16, int32, string, array } = parts

class Cursor {
  #at = 0
  constructor(readonly bytes: Buffer) {}
  int16(): number {
    this.#at += 2
    return this.bytes.readInt16BE(this.#at - 2)
  }
  int32(): number {
    this.#at += 4
    return this.bytes.readInt32BE(this.#at - 4)
  }
  int8(): number {
    this.#at += 1
    return this.bytes.readInt8(this.#at - 1)
  }
  string(): string | null {
    const length = this.int16()
    if (length < 0) return null
    this.#at += length
    return this.bytes.toString('utf8', this.#at - length, this.#at)
  }

  array<T>(item: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, item)
  }
}

interface Call {
  readonly key: number
  readonly version: number
  readonly body: Buffer
  readonly timeoutMs?: number
  /** A flexible version: its headers end in (empty) tagged fields. */
  readonly flexible?: boolean
}

/** One request, one answer; the answer starts after the correlation id. */
export async function call(
  port: number,
  { key, version, body, timeoutMs = 2000, flexible = false }: Call,
): Promise<Buffer> {
  const tags = flexible ? [Buffer.alloc(1)] : []
  const request = Buffer.concat([int16(key), int16(version), int32(1), string('real-kafka'), ...tags, body])
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = Buffer.alloc(0)
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => {
      fail(new Error(`Port ${port} did not answer within ${timeoutMs} ms.`))
    }, timeoutMs)
    socket.on('connect', () => socket.write(Buffer.concat([int32(request.length), request])))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE()) return
      resolve(received.subarray(flexible ? 9 : 8))
      socket.destroy()
    })
    socket.on('error', fail)
    socket.on('close', () => {
      clearTimeout(timer)
      reject(new Error(`Port ${port} closed the connection without an answer.`))
    })
  })
}

export interface PartitionState {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface ClusterState {
  readonly brokers: readonly { readonly id: number; readonly port: number }[]
  /** -1 before Metadata v1. */
  readonly controller: number
  readonly topics: ReadonlyMap<string, readonly PartitionState[]>
}

/** All topics are asked for: naming one that does not exist would create it. */
export async function metadata(port: number, version: 0 | 1): Promise<ClusterState> {
  const cursor = new Cursor(await call(port, { key: 3, version, body: int32(version === 0 ? 0 : -1) }))
  const brokers = cursor.array(() => {
    const id = cursor.int32()
    cursor.string()
    const broker = { id, port: cursor.int32() }
    if (version >= 1) cursor.string()
    return broker
  })
  const controller = version >= 1 ? cursor.int32() : -1
  const topics = new Map(
    cursor.array(() => {
      cursor.int16()
      const name = cursor.string() ?? ''
      if (version >= 1) cursor.int8()
      const partitions = cursor.array(() => {
        cursor.int16()
        const ids = (): number => cursor.int32()
        return { partition: ids(), leader: ids(), replicas: cursor.array(ids), isr: cursor.array(ids) }
      })
      return [name, partitions.sort((a, b) => a.partition - b.partition)] as const
    }),
  )
  return { brokers, controller, topics }
}

export interface TopicSpec {
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
  /** Its only partition's only copy is on this broker. */
  on?: number | undefined
}

/** CreateTopics. */
export async function createTopic(port: number, version: 1 | 2, name: string, spec: TopicSpec): Promise<number> {
  const configs = Object.entries(spec.config).map(([key, value]) => Buffer.concat([string(key), string(value)]))
  const { on, partitions, replicationFactor } = spec
  const counts = on === undefined ? [int32(partitions), int16(replicationFactor)] : [int32(-1), int16(-1)]
  const assignments = on === undefined ? [] : [Buffer.concat([int32(0), array([int32(on)])])]
  const topic = Buffer.concat([string(name), ...counts, array(assignments), array(configs)])
  const body = Buffer.concat([array([topic]), int32(15_000), int8(0)])
  const cursor = new Cursor(await call(port, { key: 19, version, body, timeoutMs: 20_000 }))
  if (version >= 2) cursor.int32() // throttle time
  return firstError(
    cursor.array(() => {
      cursor.string()
      const code = cursor.int16()
      cursor.string()
      return code
    }),
  )
}

/** DeleteTopics v1. */
export async function deleteTopic(port: number, name: string): Promise<number> {
  const body = Buffer.concat([array([string(name)]), int32(15_000)])
  const cursor = new Cursor(await call(port, { key: 20, version: 1, body, timeoutMs: 20_000 }))
  cursor.int32() // throttle time
  return firstError(
    cursor.array(() => {
      cursor.string()
      return cursor.int16()
    }),
  )
}

/** CreatePartitions v0; where the copies go is left to the controller. */
export async function addPartitions(port: number, name: string, total: number): Promise<number> {
  const body = Buffer.concat([array([Buffer.concat([string(name), int32(total), int32(-1)])]), int32(15_000), int8(0)])
  const cursor = new Cursor(await call(port, { key: 37, version: 0, body, timeoutMs: 20_000 }))
  cursor.int32() // throttle time
  return firstError(
    cursor.array(() => {
      cursor.string()
      const code = cursor.int16()
      cursor.string()
      return code
    }),
  )
}

/** DeleteRecords v0: all that is in the log of a partition, as retention does in its time. */
export async function deleteRecords(port: number, topic: string, partition: number): Promise<number> {
  const toTheEnd = Buffer.alloc(8, 0xff)
  const partitions = array([Buffer.concat([int32(partition), toTheEnd])])
  const body = Buffer.concat([array([Buffer.concat([string(topic), partitions])]), int32(15_000)])
  const cursor = new Cursor(await call(port, { key: 21, version: 0, body, timeoutMs: 20_000 }))
  cursor.int32() // throttle time
  cursor.int32() // number of topics: the one
  cursor.string()
  cursor.int32() // number of partitions: the one
  for (let half = 0; half < 3; half++) cursor.int32() // partition, low watermark
  return cursor.int16()
}

/** What IncrementalAlterConfigs calls them. */
const CONFIG_RESOURCES = { topic: 2, 'client-metrics': 16 } as const

/** IncrementalAlterConfigs v0. */
export async function alterConfig(
  port: number,
  type: keyof typeof CONFIG_RESOURCES,
  name: string,
  config: Readonly<Record<string, string>>,
): Promise<number> {
  const configs = Object.entries(config).map(([key, value]) => Buffer.concat([string(key), int8(0), string(value)]))
  const body = Buffer.concat([
    array([Buffer.concat([int8(CONFIG_RESOURCES[type]), string(name), array(configs)])]),
    int8(0),
  ])
  const cursor = new Cursor(await call(port, { key: 44, version: 0, body, timeoutMs: 20_000 }))
  cursor.int32() // throttle time
  cursor.int32() // number of resources: the one
  return cursor.int16()
}

/** AlterClientQuotas v0: of clients that have no quota of their own; undefined takes it away. */
export async function limitProducers(port: number, bytesPerSecond: number | undefined): Promise<number> {
  const anyClient = array([Buffer.concat([string('client-id'), int16(-1)])])
  const rate = Buffer.alloc(8)
  rate.writeDoubleBE(bytesPerSecond ?? 0)
  const remove = int8(bytesPerSecond === undefined ? 1 : 0)
  const rates = array([Buffer.concat([string('producer_byte_rate'), rate, remove])])
  const body = Buffer.concat([array([Buffer.concat([anyClient, rates])]), int8(0)])
  const cursor = new Cursor(await call(port, { key: 49, version: 0, body, timeoutMs: 20_000 }))
  cursor.int32() // throttle time
  cursor.int32() // number of entries: the one
  return cursor.int16()
}

/** AlterPartitionReassignments v0; it is flexible from its first version on. All counts here fit into one byte of varint. */
export async function reassign(
  port: number,
  topic: string,
  partition: number,
  replicas: readonly number[],
): Promise<number> {
  const compact = (items: readonly Buffer[]): Buffer => Buffer.concat([int8(items.length + 1), ...items])
  const tags = Buffer.alloc(1)
  const name = Buffer.from(topic)
  const length = name.length + 1
  const varint = length < 128 ? Buffer.of(length) : Buffer.of((length & 127) | 128, length >> 7)
  const partitions = compact([Buffer.concat([int32(partition), compact(replicas.map(int32)), tags])])
  const topics = compact([Buffer.concat([varint, name, partitions, tags])])
  const body = Buffer.concat([int32(15_000), topics, tags])
  const answer = await call(port, { key: 45, version: 0, body, flexible: true, timeoutMs: 20_000 })
  // throttle, error of the whole; a partition's own error shows as a reassignment that never happens.
  return answer.readInt16BE(4)
}

/** ElectLeaders v1, of the preferred kind. */
export async function electPreferred(port: number, topic: string, partition: number): Promise<number> {
  const body = Buffer.concat([
    int8(0),
    array([Buffer.concat([string(topic), array([int32(partition)])])]),
    int32(15_000),
  ])
  const answer = await call(port, { key: 43, version: 1, body, timeoutMs: 20_000 })
  return answer.readInt16BE(4)
}

function firstError(codes: readonly number[]): number {
  return codes.find((code) => code !== 0) ?? 0
}
