/**
 * The first version of Metadata whose leader epochs can be relied on. Before Kafka 2.4 a broker may tell an older one
 * than it told before, such as while partitions are reassigned (KIP-320, Kafka's `hasReliableLeaderEpochs`).
 */
export const RELIABLE_EPOCHS_FROM = 9
/** An older epoch that comes so often in a row is taken at its word; franz-go has the same. */
const BELIEVED_AFTER = 5

/**
 * Which answers about the leaders of one topic are old news: those with an older leader epoch than one that came before.
 *
 * Unless the leader that is known refuses, or can't be reached, and the older epoch keeps coming. The topic was deleted
 * and made anew then, which begins its epochs anew and which nothing else tells before Kafka 2.8 (KAFKA-12257); or the
 * newer epoch was wrong.
 */
export class LeaderEpochs {
  /** Partitions whose leader is in doubt, and how many answers with an older epoch came since. */
  private readonly doubted = new Map<number, number>()

  /** The leader that is known refused, or could not be reached. */
  doubt(partition: number): void {
    if (!this.doubted.has(partition)) this.doubted.set(partition, 0)
  }

  /** Whether an answer about a partition is to be taken; an epoch of -1 is none. */
  isNews(partition: number, leaderEpoch: number, knownEpoch: number): boolean {
    const older = this.doubted.get(partition)
    const isOlder = leaderEpoch >= 0 && leaderEpoch < knownEpoch
    if (isOlder && older === undefined) return false
    if (isOlder && older !== undefined && older + 1 < BELIEVED_AFTER) {
      this.doubted.set(partition, older + 1)
      return false
    }
    this.doubted.delete(partition)
    return true
  }

  /** Whether older epochs are being counted: the next answers decide. */
  get isUndecided(): boolean {
    for (const older of this.doubted.values()) if (older > 0) return true
    return false
  }
}
