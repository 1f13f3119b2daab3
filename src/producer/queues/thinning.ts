import type { TurnBudget } from '../../turn-budget.js'
import type { Batch } from './batch.js'
import type { PartitionQueue } from './partition-queue.js'
import type { Room } from './room.js'
import type { TopicRouter } from './topic-router.js'

export interface ThinningParts {
  readonly room: Room
  readonly topics: TopicRouter
  readonly turn: TurnBudget
  /** Whether messages wait for room. */
  readonly lacksRoom: () => boolean
  /** Sequences of a queue are missing since a batch has left it: they are to start over. */
  readonly goOn: (queue: PartitionQueue) => void
}

/** Gives back the room of messages that were ended in their batches, which are written anew without them. */
export class Thinning {
  /** Whether batches may hold room for messages that were ended. */
  private holdsEnded = false
  /** Whether they are about to be left out. */
  private isToThinAll = false

  constructor(private readonly parts: ThinningParts) {}

  /** Leaves out of a batch what was ended, where that is much of it; else soon, where somebody waits for the room. */
  thin(batch: Batch): void {
    if (batch.isSettled || batch.isInFlight) return
    if (batch.unsettled <= batch.count / 2) return this.leaveOut(batch)
    this.holdsEnded = true
    if (this.isToThinAll || !this.parts.lacksRoom()) return
    // Once for all that end in a turn: what is left of the batch is written anew each time.
    this.isToThinAll = true
    this.parts.turn.inNextTurn(() => {
      this.isToThinAll = false
      this.thinAll()
    })
  }

  /** Somebody has come to wait for room: what was ended holds none any longer. */
  thinAll(): void {
    if (!this.holdsEnded || this.isToThinAll) return
    this.holdsEnded = false
    for (const queue of this.parts.topics.queues()) {
      // What its queue fails in between, since sequences are missing, is settled.
      for (const batch of queue.waitingWithEnded()) if (!batch.isSettled) this.leaveOut(batch)
    }
  }

  private leaveOut(batch: Batch): void {
    const { room, topics, goOn } = this.parts
    const { queue } = batch
    room.release(queue.thin(batch))
    const its = queue.hasGap ? topics.get(queue.topic)?.queues[queue.partition] : undefined
    if (its !== undefined) goOn(its)
  }
}
