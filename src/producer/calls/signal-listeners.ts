interface Shared {
  readonly listeners: Set<() => void>
  readonly onAbort: () => void
}

/**
 * One listener on a signal, however many calls share it: thousands of `send()`s may well be given the same one, and Node
 * warns of a leak from the eleventh listener on.
 */
export class SignalListeners {
  private readonly bySignal = new WeakMap<AbortSignal, Shared>()

  /** Calls `listener` when the signal is aborted; returns what takes it back. */
  add(signal: AbortSignal, listener: () => void): () => void {
    const shared = this.bySignal.get(signal) ?? this.listenTo(signal)
    shared.listeners.add(listener)
    return () => {
      if (!shared.listeners.delete(listener) || shared.listeners.size > 0) return
      signal.removeEventListener('abort', shared.onAbort)
      this.bySignal.delete(signal)
    }
  }

  private listenTo(signal: AbortSignal): Shared {
    const listeners = new Set<() => void>()
    const onAbort = () => {
      for (const listener of [...listeners]) listener()
    }
    const shared = { listeners, onAbort }
    this.bySignal.set(signal, shared)
    signal.addEventListener('abort', onAbort, { once: true })
    return shared
  }
}
