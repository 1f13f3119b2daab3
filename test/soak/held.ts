import { subscribe } from 'node:diagnostics_channel'
import { getEventListeners, type EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

/** What producers hold of this process, seen from outside of their code. */
export interface Held {
  readonly rss: number
  /** After a collection. */
  readonly heap: number
  /** Memory outside of the heap that buffers have. */
  readonly buffers: number
  readonly sockets: number
  readonly timers: number
  readonly listeners: number
}

/** Counts sockets and timers from when it is made: before any library is loaded that keeps the functions it counts by. */
export class HeldWatch {
  private sockets = 0
  private readonly timers = new Set<unknown>()
  private readonly watched: { readonly emitter: EventEmitter | AbortSignal; readonly names: readonly string[] }[] = []

  constructor() {
    subscribe('net.client.socket', (message) => {
      const { socket } = message as { socket: Socket }
      this.sockets++
      socket.once('close', () => this.sockets--)
    })
    this.countTimers()
  }

  /** Counts the listeners of these events of it, too. */
  listenersOf(emitter: EventEmitter | AbortSignal, ...names: string[]): void {
    this.watched.push({ emitter, names })
  }

  look(): Held {
    globalThis.gc?.()
    const { rss, heapUsed: heap, arrayBuffers: buffers } = process.memoryUsage()
    const listeners = this.watched.flatMap(({ emitter, names }) =>
      names.map((name) => getEventListeners(emitter, name).length),
    )
    return {
      rss,
      heap,
      buffers,
      sockets: this.sockets,
      timers: this.timers.size,
      listeners: listeners.reduce((sum, count) => sum + count, 0),
    }
  }

  private countTimers(): void {
    const { timers } = this
    const original = { setTimeout, setInterval, clearTimeout, clearInterval }
    globalThis.setTimeout = ((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
      const timer = original.setTimeout(() => {
        timers.delete(timer)
        callback(...args)
      }, ms)
      timers.add(timer)
      return timer
    }) as typeof setTimeout
    globalThis.setInterval = (...args: Parameters<typeof setInterval>) => {
      const timer = original.setInterval(...args)
      timers.add(timer)
      return timer
    }
    globalThis.clearTimeout = (timer) => {
      timers.delete(timer)
      original.clearTimeout(timer)
    }
    globalThis.clearInterval = (timer) => {
      timers.delete(timer)
      original.clearInterval(timer)
    }
  }
}
