import type { Clock, Timer } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { KafkaProducerError, ProducerClosedError } from '../../errors.js'
import { LatestUsed } from '../../network/latest-used.js'
import { wasCalledOff } from '../../stats/called-off.js'
import type { ConnectBegin, ConnectEnd, MetadataEnd, ObservedEvent, Observer, OnEnd } from '../../stats/observer.js'
import { toldReason } from '../../wording/shown-error.js'
import type { KafkaProducerWarning } from './kafka-producer-warning.js'
import { hasToldAll, tellBeforeExit, type LateTeller } from './process-end.js'
import { tellUser } from './tell-user.js'

const debug = createDebug('kafka-producer:event')

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The kinds of lines, as their field `event` says. */
export type LogEvent =
  ObservedEvent['type'] | 'connected' | 'reconnected' | 'connect-failed' | 'metadata-failed' | 'warning'

/**
 * Where a producer's lines go: `console`, pino, or what has such methods.
 *
 * Pino, known by its method `bindings`, is called with the fields and then the text; any other with the text and then
 * the fields. The fields are {@link LogFields}.
 */
export interface Logger {
  readonly debug: (...line: never[]) => unknown
  readonly info: (...line: never[]) => unknown
  readonly warn: (...line: never[]) => unknown
  readonly error: (...line: never[]) => unknown
}

/** What a line says beside its text; never anything of a message, and no secret. */
export interface LogFields {
  readonly event: LogEvent
  /** The producer's `clientId`. */
  readonly clientId: string
  /** How many lines of this kind this one stands for; the other fields are those of the last. Left out where it is one. */
  readonly count?: number
  /** Host and port. */
  readonly broker?: string
  readonly brokerId?: number
  readonly topic?: string
  readonly partition?: number
  /** Of the error. */
  readonly code?: string
  readonly reason?: string
  readonly attempts?: number
  readonly messages?: number
  readonly bytes?: number
  /** Requests that had no answer. */
  readonly requests?: number
  readonly throttleMs?: number
  /** The leader before and now; -1 is none. */
  readonly from?: number
  readonly to?: number
}

type Detail = Omit<LogFields, 'event' | 'clientId' | 'count'>

interface Line {
  readonly level: LogLevel
  readonly event: LogEvent
  readonly text: string
  readonly detail: Detail
}

/** Lines of one kind that are told as they come, within a second; of more it is told once a second how many there were. */
const BURST = 5
const PAUSE_MS = 1_000
/** Lost connections that are remembered, the newest ones, to tell connecting again from connecting. */
const MAX_LOST = 1_000

/** Lines of one kind in the current second. */
interface Pace {
  told: number
  /** The last of those that were not told, and how many. */
  untold: Line | undefined
  count: number
  timer: Timer
}

/**
 * Writes what goes wrong, and what comes right again, into the user's logger, or without one into the namespace
 * `kafka-producer:event`. A storm is a line a second for each kind of line.
 */
export class EventLog implements Observer, LateTeller {
  /** By {@link kindOfLine}. */
  private readonly paces = new Map<string, Pace>()
  private readonly lost = new LatestUsed<string, true>(MAX_LOST)
  private readonly takesFieldsFirst: boolean
  private isClosed = false

  constructor(
    private readonly logger: Logger | undefined,
    private readonly clientId: string,
    private readonly clock: Clock,
    /** Told what the logger threw. */
    private readonly threw: (error: unknown) => void,
  ) {
    this.takesFieldsFirst = logger !== undefined && 'bindings' in logger && typeof logger.bindings === 'function'
  }

  readonly connect =
    ({ broker }: ConnectBegin): OnEnd<ConnectEnd> =>
    ({ error }) => {
      if (error instanceof ProducerClosedError) return
      if (error !== undefined) {
        const level = wasCalledOff(error) ? 'debug' : 'warn'
        return this.note(level, 'connect-failed', 'could not connect', { broker, ...told(error) })
      }
      if (this.lost.get(broker) === undefined) return this.note('debug', 'connected', 'connected', { broker })
      this.lost.delete(broker)
      this.note('info', 'reconnected', 'connected again', { broker })
    }

  readonly metadata = (): OnEnd<MetadataEnd> => this.onMetadataEnd

  private readonly onMetadataEnd = ({ error }: MetadataEnd): void => {
    if (error !== undefined && !(error instanceof ProducerClosedError))
      this.note('warn', 'metadata-failed', 'no broker answered for metadata', told(error))
  }

  readonly event = (event: ObservedEvent): void => {
    switch (event.type) {
      case 'retry':
      case 'failed': {
        const { type, error, topic, partition, brokerId, messages, attempts } = event
        const where = {
          ...(partition === undefined ? {} : { partition }),
          ...(brokerId === undefined ? {} : { brokerId }),
        }
        const detail = { topic, ...where, messages, attempts, ...told(error) }
        if (type === 'retry') return this.note('warn', type, 'a batch is sent again', detail)
        return this.note('error', type, 'messages failed', detail)
      }
      case 'leader-changed': {
        const { type, topic, partition, from, to } = event
        return this.note('info', type, 'a partition has another leader', { topic, partition, from, to })
      }
      case 'throttled': {
        const { type, broker, throttleMs } = event
        return this.note('warn', type, 'a broker throttles this client', { broker, throttleMs })
      }
      case 'disconnected': {
        const { type, broker, requests, error } = event
        this.lost.set(broker, true)
        const level = requests > 0 ? 'warn' : 'info'
        return this.note(level, type, 'a connection ended', { broker, requests, ...told(error) })
      }
      case 'renewed':
        return this.note('debug', event.type, 'authenticated anew', { broker: event.broker })
      case 'renewal-failed': {
        const { type, broker, error } = event
        return this.note('warn', type, 'could not authenticate anew', { broker, ...told(error) })
      }
      case 'coordinator-retry': {
        const { type, coordinator, error } = event
        return this.note('warn', type, `the coordinator of the ${coordinator} is asked again`, told(error))
      }
      case 'transaction-failed':
        return this.note('error', event.type, 'a transaction failed', told(event.error))
      case 'queue-full': {
        const { type, messages, bytes } = event
        return this.note('warn', type, 'messages wait for room in the queue', { messages, bytes })
      }
      case 'dropped': {
        const { type, topic, error } = event
        return this.note('error', type, 'a message found no room in the queue', { topic, ...told(error) })
      }
    }
  }

  /** A warning, of whom `code` tells which; false where there is no logger to hear of it. */
  warning({ message, code }: KafkaProducerWarning): boolean {
    this.note('warn', 'warning', message, { code })
    return this.logger !== undefined
  }

  /** Tells at once what it has not told yet. */
  tellAll(): void {
    for (const pace of this.paces.values()) this.tellUntold(pace)
    hasToldAll(this)
  }

  close(): void {
    this.isClosed = true
    this.tellAll()
    for (const { timer } of this.paces.values()) this.clock.clearTimeout(timer)
    this.paces.clear()
  }

  private note(level: LogLevel, event: LogEvent, text: string, detail: Detail): void {
    const line = { level, event, text, detail }
    // Questions and connections may end later than the producer, which leaves no timer behind.
    if (this.isClosed) return this.tell(line, 1)
    const kind = kindOfLine(line)
    const pace = this.paces.get(kind) ?? this.newPace(kind)
    if (pace.told < BURST) {
      pace.told++
      return this.tell(line, 1)
    }
    pace.untold = line
    if (pace.count++ === 0) tellBeforeExit(this)
  }

  private newPace(kind: string): Pace {
    const look = () => {
      // As long as it goes on, each second has its one line.
      if (this.tellUntold(pace)) pace.timer = this.clock.setTimeout(look, PAUSE_MS).unref()
      else this.paces.delete(kind)
      if (this.hasToldAll) hasToldAll(this)
    }
    const timer = this.clock.setTimeout(look, PAUSE_MS).unref()
    const pace: Pace = { told: 0, untold: undefined, count: 0, timer }
    this.paces.set(kind, pace)
    return pace
  }

  private get hasToldAll(): boolean {
    for (const { count } of this.paces.values()) if (count > 0) return false
    return true
  }

  private tellUntold(pace: Pace): boolean {
    const { untold, count } = pace
    if (untold === undefined) return false
    pace.untold = undefined
    pace.count = 0
    this.tell(untold, count)
    return true
  }

  private tell({ level, event, text, detail }: Line, count: number): void {
    const { logger, clientId } = this
    const many = count === 1 ? {} : { count }
    const fields: LogFields = { event, clientId, ...many, ...detail }
    if (logger === undefined) return debug('%s: %s %o', level, text, fields)
    // A logger is the user's: it is called when whatever told of this is through with it.
    queueMicrotask(() => {
      const line = this.takesFieldsFirst ? [fields, text] : [`kafka-producer: ${text}`, fields]
      tellUser((all) => logger[level](...(all as never[])), line, this.threw)
    })
  }
}

/**
 * What is paced together. Warnings that are told but once must not go under in many of another code, nor what is wrong in
 * lines of the same event that a logger leaves out.
 */
function kindOfLine({ level, event, detail: { code } }: Line): string {
  return event === 'warning' ? `${event} ${code}` : `${event} ${level}`
}

function told(error: unknown): Detail {
  if (error instanceof KafkaProducerError) return { code: error.code, reason: toldReason(error) }
  return { reason: error instanceof Error ? error.message : 'unknown' }
}
