import type { Api } from '../../src/protocol/api.js'
import { initProducerId, type InitProducerIdResponse } from '../../src/protocol/apis/init-producer-id.js'
import { metadata, type MetadataResponse, type MetadataTopic } from '../../src/protocol/apis/metadata.js'
import { produce, type ProduceResponse } from '../../src/protocol/apis/produce.js'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { decodeResponseFrame, encodeResponseFrame, FrameSplitter } from '../../src/protocol/frame.js'
import { readRequestHeader } from '../../src/protocol/header.js'

/** What is wrong with an answer, whatever its API: its bytes. */
const OF_BYTES = ['left over', 'long', 'many', 'minus one', 'twice', 'begun'] as const
const OF_PRODUCE = ['missing', 'repeated', 'unasked', 'hints', 'text', 'indexes', 'throttles'] as const
const OF_METADATA = [
  ...([
    'epoch',
    'crowd',
    'host',
    'no brokers',
    'gap',
    'no partitions',
    'unasked topics',
    'nobody',
    'throttles',
  ] as const),
]
const OF_IDENTITIES = ['last epoch', 'no identity', 'throttles'] as const

/** How an answer differs from what an honest broker tells. */
export type Lie =
  | (typeof OF_BYTES)[number]
  | (typeof OF_PRODUCE)[number]
  | (typeof OF_METADATA)[number]
  | (typeof OF_IDENTITIES)[number]
export type Liar = 'Produce' | 'Metadata' | 'InitProducerId' | 'ApiVersions'

export const LIES: Readonly<Record<Liar, readonly Lie[]>> = {
  Produce: [...OF_BYTES, ...OF_PRODUCE, ...OF_PRODUCE],
  Metadata: [...OF_BYTES, ...OF_METADATA, ...OF_METADATA],
  InitProducerId: [...OF_BYTES, ...OF_IDENTITIES, ...OF_IDENTITIES],
  ApiVersions: OF_BYTES,
}

/**
 * Lies that end the connection, and how soon: a client neither waits for more of it nor takes what comes behind. Where it
 * must first have the answers before, or more bytes may be of the next one, a request's time passes.
 */
const AT_ONCE_MS = 1_200
const IN_TIME_MS = 5_000
const ENDING: ReadonlyMap<Lie, number> = new Map([
  ...(['left over', 'long', 'many', 'minus one', 'twice'] as const).map((lie) => [lie, AT_ONCE_MS] as const),
  ...(['begun', 'missing', 'repeated', 'unasked'] as const).map((lie) => [lie, IN_TIME_MS] as const),
])
/** A broker whose versions can't be read is asked for them once more on the same connection, the plainest way. */
const UNREADABLE: ReadonlySet<Lie> = new Set(['left over', 'many', 'minus one'])

const KEYS: ReadonlyMap<number, Liar> = new Map([
  [produce.key, 'Produce'],
  [metadata.key, 'Metadata'],
  [initProducerId.key, 'InitProducerId'],
  [18, 'ApiVersions'],
])
const MAX_REQUEST_BYTES = 100_000_000
/** More than any answer to what is asked here, and less than a client takes at all. */
const LONG_BYTES = 40 * 1024 * 1024
export const LARGEST = 0x7fffffff
/** Brokers that are none: nobody listens there, or nobody answers. */
const CROWD = { size: 80, firstId: 5_000 }
export const CROWD_PORTS: readonly number[] = Array.from({ length: CROWD.size }, (_, i) => 20_001 + i)
/** A terminal obeys it, and it passes for another line of a log. */
const FOREIGN_TEXT = `no\n2033-05-18T03:33:20Z all is well \u001b[2J\u0007${'A'.repeat(20_000)}`

interface Question {
  readonly liar: Liar
  readonly key: number
  readonly version: number
  readonly correlationId: number
}

interface Order {
  readonly liar: Liar
  readonly how: Lie
  left: number
}

/** What stands between a client and a broker, and knows both directions of one connection. */
export class Talk {
  private readonly splitter = new FrameSplitter(0, MAX_REQUEST_BYTES)
  private readonly questions: Question[] = []

  /** The client has sent these bytes. */
  asked(bytes: Buffer): void {
    try {
      this.splitter.push(bytes, (frame) => {
        const { apiKey: key, apiVersion: version, correlationId } = readRequestHeader(new ByteReader(frame))
        const liar = KEYS.get(key)
        if (liar !== undefined) this.questions.push({ liar, key, version, correlationId })
      })
    } catch {
      // A bare token, which is no request.
      this.splitter.clear()
    }
  }

  /** The question that a whole answer of the broker's is to; undefined for all else that it sends. */
  answers(frame: Buffer): Question | undefined {
    if (frame.length < 8 || frame.readInt32BE(0) !== frame.length - 4) return undefined
    const at = this.questions.findIndex(({ correlationId }) => correlationId === frame.readInt32BE(4))
    return at < 0 ? undefined : this.questions.splice(0, at + 1).at(-1)
  }
}

/** The lies that were ordered, and how answers are made of them. */
export class Lies {
  private orders: Order[] = []
  private epoch = 1_000

  constructor(private readonly trace: (what: string) => void) {}

  order(liar: Liar, how: Lie, times: number): void {
    this.orders.push({ liar, how, left: times })
  }

  /** From here on all tell the truth. */
  end(): void {
    this.orders = []
  }

  get isOver(): boolean {
    return this.orders.length === 0
  }

  /** What is sent in place of an answer, and within how many milliseconds it is to end the connection. */
  told(talk: Talk, frame: Buffer): { readonly bytes: Buffer; readonly endsWithin: number } {
    const question = talk.answers(frame)
    const order = question && this.orders.find(({ liar }) => liar === question.liar)
    if (question === undefined || order === undefined) return { bytes: frame, endsWithin: Infinity }
    const bytes = lieOf(order.how, question, frame, () => ++this.epoch)
    if (bytes === undefined) return { bytes: frame, endsWithin: Infinity }
    if (--order.left === 0) this.orders = this.orders.filter((other) => other !== order)
    this.trace(`${question.liar} lies: ${order.how}`)
    const isAskedAgain = question.liar === 'ApiVersions' && UNREADABLE.has(order.how)
    return { bytes, endsWithin: isAskedAgain ? Infinity : (ENDING.get(order.how) ?? Infinity) }
  }
}

/** Undefined where the answer has no place for it. */
function lieOf(how: Lie, question: Question, frame: Buffer, nextEpoch: () => number): Buffer | undefined {
  const bytes = Buffer.from(frame)
  switch (how) {
    case 'left over':
      return sized(Buffer.concat([bytes, Buffer.from([1, 2, 3])]))
    case 'long':
      bytes.writeInt32BE(LONG_BYTES, 0)
      return bytes
    case 'begun':
      // Of another answer, that does not go on.
      return Buffer.concat([bytes, Buffer.from([0, 0, 4, 0, 0, 0, 0, 0])])
    case 'twice':
      return Buffer.concat([bytes, bytes])
    case 'many':
      return withCount(question, bytes, LARGEST)
    case 'minus one':
      return withCount(question, bytes, -2)
    default:
      return question.liar === 'Produce'
        ? remade(produce, question, bytes, (answer) => produceLie(how, answer, question.version, nextEpoch))
        : question.liar === 'Metadata'
          ? remade(metadata, question, bytes, (answer) => metadataLie(how, answer))
          : remade(initProducerId, question, bytes, (answer) => identityLie(how, answer))
  }
}

function sized(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - 4, 0)
  return bytes
}

/** The first array of the answer has so many elements, as it says. */
function withCount({ liar, version }: Question, bytes: Buffer, count: number): Buffer | undefined {
  const [flexibleFrom, before] =
    liar === 'Produce' ? [9, 0] : liar === 'Metadata' ? [9, version >= 3 ? 4 : 0] : liar === 'ApiVersions' ? [3, 2] : []
  if (flexibleFrom === undefined || before === undefined) return undefined
  const isFlexible = version >= flexibleFrom
  // The header has a byte for its tagged fields then, but that of ApiVersions.
  const at = 8 + (isFlexible && liar !== 'ApiVersions' ? 1 : 0) + before
  if (!isFlexible) {
    if (bytes.length < at + 4) return undefined
    bytes.writeInt32BE(count, at)
    return bytes
  }
  // A compact count is one more; there is none below zero, and the largest has five bytes.
  const wide = Buffer.from(count < 0 ? [0] : [0xff, 0xff, 0xff, 0xff, 0x07])
  return sized(Buffer.concat([bytes.subarray(0, at), wide, bytes.subarray(at + 1)]))
}

function remade<Request, Response>(
  api: Api<Request, Response>,
  { version, correlationId }: Question,
  frame: Buffer,
  change: (answer: Response) => Response | undefined,
): Buffer | undefined {
  let answer: Response
  try {
    answer = decodeResponseFrame(api, version, frame.subarray(4))
  } catch {
    // It was spoiled before.
    return undefined
  }
  const changed = change(answer)
  return changed && encodeResponseFrame(api, version, correlationId, changed)
}

function produceLie(
  how: Lie,
  answer: ProduceResponse,
  version: number,
  nextEpoch: () => number,
): ProduceResponse | undefined {
  const [topic, ...topics] = answer.responses
  const [partition, ...partitions] = topic?.partitionResponses ?? []
  if (topic === undefined || partition === undefined) return undefined
  const having = (partitionResponses: typeof topic.partitionResponses): ProduceResponse => {
    return { ...answer, responses: [{ ...topic, partitionResponses }, ...topics] }
  }
  const isRefused = partition.errorCode !== 0
  switch (how) {
    case 'missing':
      return having(partitions)
    case 'repeated':
      return having([partition, partition, ...partitions])
    case 'unasked':
      return having([partition, ...partitions, { ...partition, index: partition.index + 50 }])
    case 'hints': {
      // Each broker names another one, as if that had just been elected.
      if (version < 10 || !isRefused) return undefined
      const leaderEpoch = nextEpoch()
      const currentLeader = { leaderId: 1 + (leaderEpoch % 2), leaderEpoch }
      return having([{ ...partition, currentLeader }, ...partitions])
    }
    case 'text':
      return version < 8 || !isRefused
        ? undefined
        : having([{ ...partition, errorMessage: FOREIGN_TEXT }, ...partitions])
    case 'indexes': {
      if (version < 8 || !isRefused) return undefined
      const recordErrors = [-1, 99_999, LARGEST].map((batchIndex) => {
        return { batchIndex, batchIndexErrorMessage: FOREIGN_TEXT.slice(0, 50) }
      })
      return having([{ ...partition, recordErrors }, ...partitions])
    }
    case 'throttles':
      return { ...answer, throttleTimeMs: LARGEST }
    default:
      return undefined
  }
}

function metadataLie(how: Lie, answer: MetadataResponse): MetadataResponse | undefined {
  const [topic, ...topics] = answer.topics
  const having = (first: MetadataTopic): MetadataResponse => ({ ...answer, topics: [first, ...topics] })
  switch (how) {
    case 'epoch':
      // From then on nobody tells a newer one.
      return topic && having({ ...topic, partitions: topic.partitions.map((it) => ({ ...it, leaderEpoch: LARGEST })) })
    case 'crowd': {
      const crowd = CROWD_PORTS.map((port, i) => {
        return { nodeId: CROWD.firstId + i, host: '127.0.0.1', port, rack: null }
      })
      const [like] = topic?.partitions ?? []
      if (topic === undefined || like === undefined) return undefined
      const partitions = crowd.map(({ nodeId: leaderId }, partitionIndex) => ({ ...like, partitionIndex, leaderId }))
      return { ...having({ ...topic, partitions }), brokers: [...answer.brokers, ...crowd] }
    }
    case 'host':
      return { ...answer, brokers: answer.brokers.map((broker) => ({ ...broker, host: FOREIGN_TEXT.slice(0, 5_000) })) }
    case 'no brokers':
      return { ...answer, brokers: [] }
    case 'gap':
      return (
        topic &&
        having({
          ...topic,
          partitions: topic.partitions.map((it) => ({ ...it, partitionIndex: it.partitionIndex + 1 })),
        })
      )
    case 'no partitions':
      return topic && having({ ...topic, partitions: [] })
    case 'unasked topics': {
      if (topic === undefined) return undefined
      const unasked = Array.from({ length: 50 }, (_, i) => ({ ...topic, name: `unasked${i}` }))
      return { ...answer, topics: [...answer.topics, ...unasked] }
    }
    case 'nobody':
      return topic && having({ ...topic, partitions: topic.partitions.map((it) => ({ ...it, leaderId: 4_711 })) })
    case 'throttles':
      return { ...answer, throttleTimeMs: LARGEST }
    default:
      return undefined
  }
}

function identityLie(how: Lie, answer: InitProducerIdResponse): InitProducerIdResponse | undefined {
  switch (how) {
    case 'last epoch':
      return answer.errorCode === 0 ? { ...answer, producerEpoch: 0x7ffe } : undefined
    case 'no identity':
      return { ...answer, producerId: -1n, producerEpoch: -1 }
    case 'throttles':
      return { ...answer, throttleTimeMs: LARGEST }
    default:
      return undefined
  }
}
