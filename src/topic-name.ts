import { BoundedMap } from './bounded-map.js'

/** Letters, digits, '.', '_' and '-', at most 249 of them, and neither '.' nor '..': what every broker accepts. */
const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/

/** The same in words. */
export const TOPIC_NAMES = "1 to 249 letters, digits, '.', '_' and '-', and neither '.' nor '..'"

export function isTopicName(topic: unknown): topic is string {
  return typeof topic === 'string' && TOPIC_NAME.test(topic)
}

/** Remembers which names are valid, so that they are looked at once per topic and not per message. */
export class ValidTopicNames {
  private readonly known = new BoundedMap<string, true>()
  /** Mostly the next one is for the topic of the one before. */
  private latest: string | undefined

  /** Whether it was {@link add added}. */
  has(topic: unknown): boolean {
    if (topic === this.latest) return topic !== undefined
    if (typeof topic !== 'string' || !this.known.has(topic)) return false
    this.latest = topic
    return true
  }

  add(topic: string): void {
    this.latest = ownCopy(topic)
    this.known.set(this.latest, true)
  }
}

/** The same name, to be kept: one that was cut out of a larger string keeps all of that in memory. */
export function ownCopy(topic: string): string {
  return Buffer.from(topic, 'utf8').toString('utf8')
}
