import type { Clock, Timer } from '../../src/clock.js'

class VirtualTimer implements Timer {
  isRef = true
  /** It stays where it is, and does nothing when it is due. */
  isCleared = false

  constructor(
    readonly owner: string,
    public at: number,
    public order: number,
    readonly everyMs: number | undefined,
    readonly callback: () => void,
  ) {}

  ref(): this {
    this.isRef = true
    return this
  }

  unref(): this {
    this.isRef = false
    return this
  }
}

const LONGEST_MS = 0x7fffffff
/** Some day in 2033. */
const EPOCH = 2_000_000_000_000

/**
 * Time that passes only when it is told to: from one timer to the next, in no time. What is due at once goes before, in
 * the order it was asked for.
 */
export class VirtualClock {
  private time = 0
  private order = 0
  private readonly heap: VirtualTimer[] = []
  private immediates: { readonly owner: string; readonly callback: () => void }[] = []
  private wasImmediate = false
  /** By how much the system's time was set otherwise. */
  private jumped = 0
  /** How long each look at the clock takes: work takes time. */
  lookMs = 0

  get now(): number {
    return this.time
  }

  /** The clock as one of those sees it who share it; what they left set can be told apart. */
  for(owner: string): Clock {
    const set = (callback: () => void, ms: number, everyMs?: number): Timer => {
      // As Node's: what no timer can keep is due at once.
      const delay = ms > 1 && ms <= LONGEST_MS ? ms : 1
      const timer = new VirtualTimer(owner, this.time + delay, this.order++, everyMs, callback)
      this.push(timer)
      return timer
    }
    const clear = (timer: Timer | undefined): void => {
      if (timer !== undefined) (timer as VirtualTimer).isCleared = true
    }
    return {
      now: () => (this.time += this.lookMs),
      timestamp: () => Math.floor(EPOCH + this.time + this.jumped),
      setTimeout: (callback, ms) => set(callback, ms),
      clearTimeout: clear,
      setInterval: (callback, ms) => set(callback, ms, Math.max(1, ms)),
      clearInterval: clear,
      setImmediate: (callback) => void this.immediates.push({ owner, callback }),
    }
  }

  /** The system's time is set. */
  jump(ms: number): void {
    this.jumped += ms
  }

  /** The process stands still for so long: whatever was due meanwhile is late. */
  stall(ms: number): void {
    this.time += ms
  }

  /** Does what is next; false where nothing is. */
  step(): boolean {
    // As in an event loop: between one immediate and the next there is what has come due.
    const isTimersTurn = this.wasImmediate && this.isDue
    const next = isTimersTurn ? undefined : this.immediates.shift()
    this.wasImmediate = next !== undefined
    if (next !== undefined) {
      next.callback()
      return true
    }
    for (let timer = this.pop(); timer !== undefined; timer = this.pop()) {
      if (timer.isCleared) continue
      this.time = Math.max(this.time, timer.at)
      if (timer.everyMs === undefined) timer.isCleared = true
      else {
        timer.at = this.time + timer.everyMs
        timer.order = this.order++
        this.push(timer)
      }
      timer.callback()
      return true
    }
    return false
  }

  /** Whether a timer is due already. */
  private get isDue(): boolean {
    while (this.heap[0]?.isCleared === true) this.pop()
    const [first] = this.heap
    return first !== undefined && first.at <= this.time
  }

  /** How many timers somebody has set that are still to go off. */
  timersOf(owner: string): number {
    return this.heap.filter((timer) => timer.owner === owner && !timer.isCleared).length
  }

  private push(timer: VirtualTimer): void {
    const { heap } = this
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isBefore(at, parent)) return
      this.swap(at, parent)
      at = parent
    }
  }

  private pop(): VirtualTimer | undefined {
    const { heap } = this
    const [first] = heap
    const last = heap.pop()
    if (last === undefined || last === first) return first
    heap[0] = last
    for (let at = 0; ;) {
      const left = 2 * at + 1
      let least = at
      if (left < heap.length && this.isBefore(left, least)) least = left
      if (left + 1 < heap.length && this.isBefore(left + 1, least)) least = left + 1
      if (least === at) return first
      this.swap(at, least)
      at = least
    }
  }

  private isBefore(one: number, other: number): boolean {
    const a = this.heap[one] as VirtualTimer
    const b = this.heap[other] as VirtualTimer
    return a.at < b.at || (a.at === b.at && a.order < b.order)
  }

  private swap(one: number, other: number): void {
    const { heap } = this
    ;[heap[one], heap[other]] = [heap[other] as VirtualTimer, heap[one] as VirtualTimer]
  }
}
