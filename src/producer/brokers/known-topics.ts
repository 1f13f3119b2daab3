import type { MetadataTopic } from '../../protocol/apis/metadata.js'
import { Observers } from '../../stats/observer.js'
import { LeaderEpochs } from './leader-epochs.js'
import { topicMetadata, type PartitionMetadata, type TopicMetadata } from './topic-metadata.js'

/** A partition's leader, as a broker told it that does not lead it. */
export interface ToldLeader {
  readonly topic: string
  readonly partition: number
  readonly leader: number
  readonly leaderEpoch: number
}

/** What is kept of a topic that exists. */
interface KnownTopic {
  readonly metadata: TopicMetadata
  /** Which answer it is from; kept through what is learned from answers to messages. */
  readonly generation: number
  readonly epochs: LeaderEpochs
  /** When it was first told, by the clock that it was given. */
  readonly learnedAt: number
}

/** What an answer made known. */
export interface LearnedTopics {
  /** Of each topic that was asked for, also of one that does not exist. */
  readonly all: ReadonlyMap<string, TopicMetadata>
  /** Topics with leaders that other answers have to confirm. */
  readonly undecided: readonly string[]
}

/**
 * Which partitions a topic has, and who leads them, as far as it was told. Kept are topics that exist, until they are
 * {@link forget forgotten}; of one that does not, those who asked are told, and nothing is kept. What is older than what
 * is known is passed over ({@link LeaderEpochs}).
 */
export class KnownTopics {
  /** How many answers there were. */
  generation = 0
  private readonly topics = new Map<string, KnownTopic>()
  /** Topics that are sent to, and were told of by the cluster that was left; this one has not answered for them yet. */
  private readonly toldElsewhere = new Set<string>()

  constructor(private readonly observers = new Observers()) {}

  get isAny(): boolean {
    return this.topics.size > 0
  }

  get(name: string): TopicMetadata | undefined {
    return this.topics.get(name)?.metadata
  }

  /** The answer that a topic is known from; 0 where it is not known. */
  generationOf(name: string): number {
    return this.topics.get(name)?.generation ?? 0
  }

  /** What a refresh asks for. */
  *names(): Iterable<string> {
    yield* this.topics.keys()
    yield* this.toldElsewhere
  }

  /** There is an answer: what fails by the brokers that it tells of, before its topics are looked at, did not rely on those. */
  nextGeneration(): void {
    this.generation++
  }

  /** @param now by the clock that it was given */
  learn(answered: readonly MetadataTopic[], asked: ReadonlySet<string>, now: number): LearnedTopics {
    const { generation } = this
    const answers = new Map(answered.map((topic) => [topic.name, topic]))
    const all = new Map<string, TopicMetadata>()
    const undecided: string[] = []
    for (const name of asked) {
      this.toldElsewhere.delete(name)
      const old = this.topics.get(name)
      const epochs = old?.epochs ?? new LeaderEpochs()
      const metadata = topicMetadata(name, answers.get(name), old?.metadata, epochs)
      all.set(name, metadata)
      if (metadata.error === undefined) {
        this.tellNewLeaders(old?.metadata, metadata)
        this.topics.set(name, { metadata, generation, epochs, learnedAt: old?.learnedAt ?? now })
        if (epochs.isUndecided) undecided.push(name)
      } else this.topics.delete(name)
    }
    return { all, undecided }
  }

  /**
   * What a broker said of the leaders of partitions in answer to messages (KIP-951), all of it at once: a topic of which
   * many have moved is looked through once.
   *
   * @param hasAddress whether it is known where a broker is
   * @returns what was news, and the topics of it
   */
  learnLeaders<Told extends ToldLeader>(
    told: readonly Told[],
    hasAddress: (brokerId: number) => boolean,
  ): { readonly news: ReadonlySet<Told>; readonly topics: readonly TopicMetadata[] } {
    const news = new Set<Told>()
    const updated = new Map<string, PartitionMetadata[]>()
    for (const one of told) {
      const { topic, partition, leader, leaderEpoch } = one
      const known = updated.get(topic) ?? this.get(topic)?.partitions
      const old = known?.[partition]
      if (known === undefined || old === undefined || leaderEpoch <= old.leaderEpoch || !hasAddress(leader)) continue
      const partitions = updated.get(topic) ?? [...known]
      partitions[partition] = { partition, leader, leaderEpoch, error: undefined }
      updated.set(topic, partitions)
      news.add(one)
    }
    const topics = Array.from(updated, ([name, partitions]) => {
      const known = this.topics.get(name) as KnownTopic
      const metadata = { ...known.metadata, partitions }
      this.tellNewLeaders(known.metadata, metadata)
      this.topics.set(name, { ...known, metadata })
      return metadata
    })
    return { news, topics }
  }

  /** A partition's leader refused, or could not be reached: what is known of it may be wrong. */
  doubtLeader(topic: string, partition: number): void {
    this.topics.get(topic)?.epochs.doubt(partition)
  }

  /** The same of all that a broker leads. */
  doubtLeadersAt(brokerId: number): void {
    for (const { metadata, epochs } of this.topics.values())
      for (const { partition, leader } of metadata.partitions) if (leader === brokerId) epochs.doubt(partition)
  }

  /** The brokers are those of another cluster: leaders and their epochs are those of the one before. */
  leaveCluster(isInUse: (topic: string) => boolean): void {
    for (const name of this.topics.keys()) if (isInUse(name)) this.toldElsewhere.add(name)
    this.topics.clear()
  }

  /** Whether topics are sent to of which the cluster has not told yet. */
  get isAnyToldElsewhere(): boolean {
    return this.toldElsewhere.size > 0
  }

  /** Drops a topic that nobody sends to any more, so that refreshes leave it out. */
  forget(topic: string): void {
    this.topics.delete(topic)
    this.toldElsewhere.delete(topic)
  }

  /** Drops the topics that were known by then, and are not in use. */
  forgetIdle(idleSince: number, isInUse: (topic: string) => boolean): void {
    for (const [name, { learnedAt }] of this.topics) if (learnedAt <= idleSince && !isInUse(name)) this.forget(name)
  }

  private tellNewLeaders(old: TopicMetadata | undefined, { topic, partitions }: TopicMetadata): void {
    if (old === undefined || !this.observers.wantsEvents) return
    for (const { partition, leader: to } of partitions) {
      const from = old.partitions[partition]?.leader
      if (from !== undefined && from !== to)
        this.observers.happened({ type: 'leader-changed', topic, partition, from, to })
    }
  }
}
