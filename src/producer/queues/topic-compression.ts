import { Codecs, type Codec } from '../../compression/codec.js'
import { InvalidConfigError } from '../../errors.js'
import { shown } from '../../wording/shown.js'

/** A codec by its name, which may be one of the user's own. */
export type CodecName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' | (string & {})

/** A codec by name, or with its level, and what stands in for it where a broker does not take it. */
export type CompressionOption =
  | CodecName
  | {
      readonly type: CodecName
      readonly level?: number | undefined
      /**
       * Where `type` can't be had: a broker does not take it (zstd needs Kafka 2.1), or this Node has it not (22.15).
       * Without one such messages fail, and such a producer can't be made.
       */
      readonly fallback?: CodecName | undefined
    }

export interface CompressionConfig {
  /** For every topic, or for those in `compressedTopics` where that is not empty. */
  readonly compression: CompressionOption
  readonly compressedTopics: readonly string[]
  /** For single topics; goes before the two above. */
  readonly topicCompression: Readonly<Record<string, CompressionOption>>
  readonly codecs: readonly Codec[]
}

/** How much of a topic fits into a batch. */
export interface BatchLimit {
  /** Bytes of messages, before compression, that one batch may have. */
  readonly plainBytes: number
  /** How much smaller a batch is likely to become: what it has after compression by what it had before. */
  readonly ratio: number
}

/** However well a topic compresses, no more than this is encoded in one go. */
const MAX_PLAIN_BYTES = 4_000_000
/** The estimate follows a better ratio in small steps and a worse one at once: too large a batch is compressed in vain. */
const RATIO_STEP_DOWN = 0.005
const RATIO_MARGIN = 0.05
/** What is alike is never compressed quite alike: how much less well it may be, and still fit. */
const RATIO_SPREAD = 1.02
/** A batch that keeps more than this share of its size was not worth the codec's time. */
const NO_GAIN = 0.98
/** How many batches at the most go untried behind one that gained nothing: trying those costs a thirtieth then. */
const MAX_UNTRIED = 31
/** A batch that is so many times as large as all that gained nothing may well gain: a lone message rarely does. */
const MUCH_LARGER = 2

/** One topic's codec, and how well it has done. */
export class TopicCompression implements BatchLimit {
  ratio = 1
  /** Whether a broker has refused the codec: the fallback stands in from then on. */
  isRefused = false
  /** Batches to go as they are, before the codec is tried again; each try without gain doubles them. */
  private untried = 0
  private pause = 0
  /** The largest batch since the last gain. */
  private fruitlessBytes = 0
  /** Batches of this size were refused as they were. */
  private tooLargeFrom = Infinity

  constructor(
    readonly codec: Codec,
    readonly level: number | undefined,
    /** Undefined: none was named. Null: such messages go as they are. */
    readonly fallback: Codec | null | undefined,
    private readonly batchBytes: number,
    /** Whether a batch may go untried: not where nobody would tell that it was too large as it was. */
    private readonly mayGoUntried: boolean,
  ) {}

  get plainBytes(): number {
    return Math.max(this.batchBytes, Math.min(this.batchBytes / this.ratio, MAX_PLAIN_BYTES))
  }

  /**
   * Whether the codec is to be tried for the next batch. What can't be made smaller, such as images, costs a codec more
   * time than anything else: where it gained nothing it is tried now and then, so that it is found when it does again.
   * A batch that only fits when it is smaller is always tried.
   */
  isWorthTrying(plainBytes: number): boolean {
    const isLarge = plainBytes >= this.tooLargeFrom || plainBytes > this.batchBytes
    if (this.untried === 0 || !this.mayGoUntried || isLarge || plainBytes > this.fruitlessBytes * MUCH_LARGER)
      return true
    this.untried--
    return false
  }

  /** Learns from a batch: its size before and after, which is the same where the codec failed. */
  observe(plainBytes: number, compressedBytes: number): void {
    const seen = Math.min(compressedBytes / plainBytes, 1)
    const gained = seen < NO_GAIN
    this.pause = gained ? 0 : Math.min(this.pause * 2 + 1, MAX_UNTRIED)
    this.untried = this.pause
    this.fruitlessBytes = gained ? 0 : Math.max(this.fruitlessBytes, plainBytes)
    const likely = seen > this.ratio ? seen + RATIO_MARGIN : Math.max(seen * RATIO_SPREAD, this.ratio - RATIO_STEP_DOWN)
    this.ratio = Math.min(1, likely)
  }

  /** A broker found a batch too large for which the codec was not tried: it is, for those of that size. */
  noteTooLarge(plainBytes: number): void {
    this.tooLargeFrom = Math.min(this.tooLargeFrom, plainBytes)
  }

  forgetRefusals(): void {
    this.isRefused = false
    this.tooLargeFrom = Infinity
  }

  /** A broker found a batch too large: the next ones are sized as if nothing were won. */
  reset(): void {
    this.ratio = 1
  }
}

/** Which topics are compressed, and how. */
export class CompressionChoice {
  private readonly listed: ReadonlySet<string>
  private readonly plain: BatchLimit
  private readonly byTopic = new Map<string, TopicCompression | null>()
  /** What can't run here, and goes with its fallback. */
  readonly notes: string[] = []

  /** @throws InvalidConfigError for a codec that is unknown, has not that level, or can't run here. */
  constructor(
    private readonly config: CompressionConfig,
    /** What a batch may have as it goes into a request; one message alone may be larger. */
    readonly batchBytes: number,
    /** Whether brokers answer what they are sent: with acks 0 they do not. */
    private readonly isAnswered = true,
    private readonly codecs = new Codecs(config.codecs),
  ) {
    this.listed = new Set(config.compressedTopics)
    this.plain = { plainBytes: batchBytes, ratio: 1 }
    // Whatever is wrong with an option shows now, and not at the first message.
    this.check('compression', config.compression)
    for (const [topic, option] of Object.entries(config.topicCompression))
      this.check(`topicCompression of ${shown(topic)}`, option)
  }

  /** The same with nothing learned: a producer learns for itself alone, also where others have its configuration. */
  anew(): CompressionChoice {
    return new CompressionChoice(this.config, this.batchBytes, this.isAnswered, this.codecs)
  }

  private check(name: string, option: CompressionOption): void {
    try {
      this.make(option)
      const whyNot = typeof option === 'string' ? undefined : this.codecs.whyNot(option.type)
      if (whyNot !== undefined) this.notes.push(`${name}: ${whyNot}; its fallback stands in`)
    } catch (cause) {
      throw cause instanceof InvalidConfigError ? new InvalidConfigError(`${name}: ${cause.message}`) : cause
    }
  }

  /** Null: the topic's messages go as they are. */
  of(topic: string): TopicCompression | null {
    let compression = this.byTopic.get(topic)
    if (compression === undefined) {
      compression = this.make(this.option(topic))
      this.byTopic.set(topic, compression)
    }
    return compression
  }

  /** Whether a codec of the user's is at a topic's batches: there is no telling how long it takes. */
  hasOwnCodec(topic: string): boolean {
    // As it is mostly: this is asked for each request.
    if (this.config.codecs.length === 0) return false
    const compression = this.of(topic)
    return [compression?.codec, compression?.fallback].some((codec) => codec && this.codecs.isOwn(codec))
  }

  limitOf(topic: string): BatchLimit {
    return this.of(topic) ?? this.plain
  }

  /** What brokers have refused says nothing of those of another cluster. */
  forgetRefusals(): void {
    for (const compression of this.byTopic.values()) compression?.forgetRefusals()
  }

  /** Nobody sends to the topic any more: what was learned of it goes. */
  forget(topic: string): void {
    this.byTopic.delete(topic)
  }

  private option(topic: string): CompressionOption {
    const { compression, topicCompression } = this.config
    if (Object.hasOwn(topicCompression, topic)) return topicCompression[topic] as CompressionOption
    return this.listed.size === 0 || this.listed.has(topic) ? compression : 'none'
  }

  private make(option: CompressionOption): TopicCompression | null {
    const { type, level, fallback } =
      typeof option === 'string' ? { type: option, level: undefined, fallback: undefined } : option
    if (type === 'none') return null
    const substitute = fallback === 'none' ? null : fallback && this.codecs.get(fallback)
    const { batchBytes, isAnswered } = this
    // Who names a fallback can do without: on a machine that lacks the codec, too.
    if (substitute !== undefined && this.codecs.whyNot(type) !== undefined)
      return substitute && new TopicCompression(substitute, undefined, undefined, batchBytes, isAnswered)
    return new TopicCompression(this.codecs.get(type, level), level, substitute, batchBytes, isAnswered)
  }
}
