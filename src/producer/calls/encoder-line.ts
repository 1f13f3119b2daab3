import type { OutgoingMessage } from '../queues/outgoing-message.js'

/** A call in line. */
interface Place {
  readonly topics: ReadonlySet<string>
  /** Undefined while its encoders work. */
  messages: readonly OutgoingMessage[] | undefined
  /** How many calls before it, for one of its topics, have not gone on yet. */
  ahead: number
  readonly behind: Place[]
}

/**
 * Keeps the order of the messages of a topic while an encoder of an earlier call still works: later calls to that topic
 * wait behind it, those to other topics go on.
 */
export class EncoderLine {
  /** By topic, the last call in line. */
  private readonly last = new Map<string, Place>()

  /** @param goOn takes the messages of a call whose turn it is */
  constructor(private readonly goOn: (messages: readonly OutgoingMessage[]) => void) {}

  /** Whether any call waits for an encoder. */
  get isEmpty(): boolean {
    return this.last.size === 0
  }

  /** A call whose encoders are done. */
  pass(messages: readonly OutgoingMessage[]): void {
    if (this.last.size === 0) return this.goOn(messages)
    this.enter(new Set(messages.map(({ topic }) => topic)), messages)
  }

  /** A call whose encoders still work, for these topics; the promise must not reject. */
  wait(topics: Iterable<string>, encoded: Promise<readonly OutgoingMessage[]>): void {
    const place = this.enter(new Set(topics), undefined)
    void encoded.then((messages) => {
      place.messages = messages
      this.goIfReady(place)
    })
  }

  private enter(topics: ReadonlySet<string>, messages: readonly OutgoingMessage[] | undefined): Place {
    const place: Place = { topics, messages, ahead: 0, behind: [] }
    for (const topic of topics) {
      const before = this.last.get(topic)
      if (before !== undefined) {
        before.behind.push(place)
        place.ahead++
      }
      this.last.set(topic, place)
    }
    this.goIfReady(place)
    return place
  }

  private goIfReady(first: Place): void {
    // Not by recursion: the line may be long.
    const ready = [first]
    for (let place = ready.pop(); place !== undefined; place = ready.pop()) {
      if (place.messages === undefined || place.ahead > 0) continue
      for (const topic of place.topics) if (this.last.get(topic) === place) this.last.delete(topic)
      this.goOn(place.messages)
      // One that stands behind this for several topics is there as often, and goes on once. Taken out, or every place would
      // keep alive all those after it once one of them is in the old generation.
      for (const next of place.behind.splice(0).reverse()) if (--next.ahead === 0) ready.push(next)
    }
  }
}
