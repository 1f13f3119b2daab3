import type { Clock } from '../clock.js'
import { DISPOSE } from '../dispose-symbols.js'
import { counted } from '../wording/counted.js'
import { API_NAMES, type ApiName } from './api-names.js'
import { fields, flag, milliseconds, oneOf, refused, text, wholeNumber, type Check } from './checks.js'
import { Changes, Gate, waitFor } from './waiting.js'

/** Which requests a fault is for; what is left out matches all. */
export interface FaultTarget {
  /** Name of the request: `'Produce'`, `'Metadata'`. */
  api?: ApiName | undefined
  /** Requests that have to do with this topic; of an error, only this topic's part of the answer. */
  topic?: string | undefined
  /** Requests that have to do with this partition of `topic`, or of any topic. */
  partition?: number | undefined
  /** Id of the broker that is asked. */
  broker?: number | undefined
  clientId?: string | undefined
  /** How many requests it is for. `Infinity`: all until it is released. Default: 1. */
  times?: number | undefined
}

/** A fault that was ordered. */
export interface Fault {
  /** How many requests it has met so far. */
  readonly hits: number
  /** Ends it: it meets no more requests, and those it holds go on. */
  release(): void
  /** Resolves once it has met `count` requests (default 1); rejects with `WAIT_TIMEOUT` after `timeoutMs` (default 10,000). */
  hit(count?: number, timeoutMs?: number): Promise<void>
  /** The same as `release()`, for `using`. */
  [Symbol.dispose](): void
}

/** When a request is cut off or held: before the broker acts on it, or after, with the answer kept back. */
export type FaultMoment = 'before' | 'after'

/** How a response is spoiled. */
export type Spoiling = 'noise' | 'wrong-correlation-id' | 'huge-length' | 'negative-length' | 'short-body'

export type Behaviour =
  | { readonly kind: 'error'; readonly code: number; readonly append: boolean }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'stall'; readonly moment: FaultMoment }
  | { readonly kind: 'cut'; readonly moment: FaultMoment | 'mid-response' }
  | { readonly kind: 'spoil'; readonly how: Spoiling }
  | { readonly kind: 'throttle'; readonly ms: number }

const MOMENTS: readonly FaultMoment[] = ['before', 'after']
const SPOILINGS: readonly Spoiling[] = ['noise', 'wrong-correlation-id', 'huge-length', 'negative-length', 'short-body']

const checkTimes: Check = (name, times) => {
  if (times === Infinity || (typeof times === 'number' && Number.isInteger(times) && times >= 1)) return
  throw refused(name, times, 'a whole number of at least 1, or Infinity')
}

const checkTarget = fields<FaultTarget>({
  api: oneOf(API_NAMES),
  topic: text,
  partition: wholeNumber(0),
  broker: wholeNumber(0),
  clientId: text,
  times: checkTimes,
})

/** Of an error: whether records are appended all the same. */
export const checkAppend = fields<{ append?: boolean | undefined }>({ append: flag })

/** Throws `INVALID_OPTION` where the order says what there is not: it would meet nothing, or all. */
export function checkOrder(target: FaultTarget, behaviour: Behaviour): void {
  checkTarget('target', target)
  switch (behaviour.kind) {
    case 'error':
      // As the wire has it.
      return wholeNumber(-0x8000, 0x7fff)('error', behaviour.code)
    case 'delay':
      return milliseconds('ms', behaviour.ms)
    case 'stall':
      return oneOf(MOMENTS)('moment', behaviour.moment)
    case 'cut':
      return oneOf([...MOMENTS, 'mid-response'])('moment', behaviour.moment)
    case 'spoil':
      return oneOf(SPOILINGS)('how', behaviour.how)
    case 'throttle':
      // As the wire has it, too.
      return wholeNumber(0, 0x7fffffff)('ms', behaviour.ms)
  }
}

/** A request as far as faults look at it. */
export interface FaultSubject {
  readonly api: string
  readonly broker: number
  readonly clientId: string | null
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
}

export interface InjectedError {
  readonly code: number
  /** Whether the records are appended all the same. */
  readonly append: boolean
}

/** The faults that one request has met, in the order they were ordered. */
export class RequestFaults {
  constructor(private readonly rules: readonly FaultRule[]) {}

  /** The error to answer for a partition, or topic, or for the request as a whole where it has neither. */
  errorFor(topic?: string, partition?: number): InjectedError | undefined {
    for (const { behaviour, target } of this.rules) {
      if (behaviour.kind !== 'error') continue
      // An error for one topic is none for the whole request, and one for a partition none for its whole topic.
      if (target.topic !== undefined && target.topic !== topic) continue
      if (target.partition !== undefined && target.partition !== partition) continue
      return behaviour
    }
    return undefined
  }

  *of<Kind extends Behaviour['kind']>(
    kind: Kind,
  ): Iterable<FaultRule & { behaviour: Extract<Behaviour, { kind: Kind }> }> {
    for (const rule of this.rules) if (rule.is(kind)) yield rule
  }

  get throttleTimeMs(): number {
    let sum = 0
    for (const { behaviour } of this.of('throttle')) sum += behaviour.ms
    return sum
  }
}

export class FaultRule implements Fault {
  hits = 0
  /** Closed until the fault is released. */
  readonly released = new Gate()
  private readonly met = new Changes()

  constructor(
    readonly target: Readonly<FaultTarget>,
    readonly behaviour: Behaviour,
    private readonly lifetime: AbortSignal,
    private readonly clock: Clock,
  ) {
    this.released.close()
  }

  is<Kind extends Behaviour['kind']>(
    kind: Kind,
  ): this is FaultRule & { behaviour: Extract<Behaviour, { kind: Kind }> } {
    return this.behaviour.kind === kind
  }

  get spent(): boolean {
    return this.released.isOpen || this.hits >= (this.target.times ?? 1)
  }

  matches(subject: FaultSubject): boolean {
    const { api, topic, partition, broker, clientId } = this.target
    if (api !== undefined && api !== subject.api) return false
    if (broker !== undefined && broker !== subject.broker) return false
    if (clientId !== undefined && clientId !== subject.clientId) return false
    if (topic === undefined && partition === undefined) return true
    return subject.topics.some(
      (asked) =>
        (topic === undefined || asked.topic === topic) &&
        (partition === undefined ||
          asked.partitions.length === 0 ||
          asked.partitions.some((p) => p.partition === partition)),
    )
  }

  meet(): void {
    this.hits++
    this.met.notify()
  }

  release(): void {
    this.released.open()
  }

  async hit(count = 1, timeoutMs = 10_000): Promise<void> {
    wholeNumber(0)('count', count)
    milliseconds('timeoutMs', timeoutMs)
    await waitFor(() => (this.hits >= count ? true : undefined), {
      clock: this.clock,
      changes: this.met,
      timeoutMs,
      lifetime: this.lifetime,
      missing: () => `the fault has met ${this.hits} of ${counted(count, 'request')}`,
    })
  }

  [DISPOSE](): void {
    this.release()
  }
}

/** The faults that are ordered at present. */
export class Faults {
  private rules: FaultRule[] = []

  constructor(
    private readonly lifetime: AbortSignal,
    private readonly clock: Clock,
  ) {}

  add(target: FaultTarget, behaviour: Behaviour): FaultRule {
    const rule = new FaultRule({ ...target }, behaviour, this.lifetime, this.clock)
    this.rules.push(rule)
    return rule
  }

  /** What this request meets; counted as met. */
  meet(subject: FaultSubject): RequestFaults {
    this.rules = this.rules.filter((rule) => !rule.spent)
    const met = this.rules.filter((rule) => rule.matches(subject))
    for (const rule of met) rule.meet()
    return new RequestFaults(met)
  }

  releaseAll(): void {
    for (const rule of this.rules) rule.release()
    this.rules = []
  }
}
