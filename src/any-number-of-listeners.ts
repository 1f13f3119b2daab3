import { setMaxListeners } from 'node:events'

/** Of a signal that as many listen to as there are calls: Node warns of a leak from the eleventh listener on. */
export function allowAnyNumberOfListeners(signal: AbortSignal): void {
  try {
    setMaxListeners(0, signal)
  } catch {
    // In tests with a DOM (jsdom, happy-dom) signals are that one's, which warns of nothing.
  }
}
