import Denque from 'denque'

/** More than a broker that answers can be behind with; those that don't answer leave this many behind. */
const MAX_KEPT = 4_096

/**
 * The newest requests of a connection that want no answer (Produce with acks 0). Kafka gives none; Azure's Event Hubs
 * does, in the order of the requests.
 */
export class UnansweredRequests {
  private readonly ids = new Denque<number>()
  /** The largest answer that any of them may have. */
  maxBytes = 0

  get isEmpty(): boolean {
    return this.ids.isEmpty()
  }

  add(correlationId: number, maxBytes: number): void {
    this.maxBytes = Math.max(this.maxBytes, maxBytes)
    this.ids.push(correlationId)
    if (this.ids.length > MAX_KEPT) this.ids.shift()
  }

  /** Notes that one was answered, so that those before it will not be; false where it is none of them. */
  answered(correlationId: number): boolean {
    if (this.ids.peekFront() !== correlationId && !this.ids.toArray().includes(correlationId)) return false
    while (this.ids.shift() !== correlationId);
    return true
  }
}
