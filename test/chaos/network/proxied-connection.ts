import { connect, type Socket } from 'node:net'
import { Direction } from './direction.js'
import { Frames, REQUEST_HEAD_BYTES, requestHead } from './frames.js'
import { reset } from './reset.js'
import { CALM, windOf, type Weather, type Wind } from './weather.js'

const PRODUCE = 0
const NOTHING: Wind = {}

export interface ConnectionHooks {
  /** What the network is like; asked whenever bytes could go on. */
  weather(): Weather
  /** Whether a client with this id is one that the weather is made for. */
  isUnderTest(clientId: string): boolean
  log(line: string): void
}

/** One connection of a client, led on to its broker. */
export class ProxiedConnection {
  clientId = ''
  private readonly broker: Socket
  private readonly toBroker: Direction
  private readonly toClient: Direction
  /** Produce requests that have passed and have had no answer, by correlation id. */
  private readonly unanswered = new Set<number>()
  private wantsSwallowing = false

  constructor(
    private readonly name: string,
    private readonly client: Socket,
    target: number,
    private readonly hooks: ConnectionHooks,
    private readonly onClosed: () => void,
  ) {
    const broker = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    this.broker = broker
    const requests = new Frames(REQUEST_HEAD_BYTES, (head) => this.requested(head))
    const answers = new Frames(8, (head) => this.answered(head.readInt32BE(4)))
    for (const socket of [client, broker]) socket.setNoDelay(true).on('error', () => undefined)
    // The client's id is at the head of what it says first, and the weather may be its own: ahead of what goes by that.
    client.on('data', (bytes: Buffer) => this.introduce(bytes))
    this.toBroker = new Direction(
      client,
      broker,
      () => this.wind('toBroker'),
      (bytes) => {
        requests.passed(bytes)
        return true
      },
    )
    this.toClient = new Direction(
      broker,
      client,
      () => this.wind('toClient'),
      (bytes) => {
        answers.passed(bytes)
        return !this.wantsSwallowing
      },
    )
    this.log(`open from ${client.remotePort ?? 0}`)
    client.once('end', () => this.log('ended by its client'))
    client.once('close', (hadError) => {
      this.log(`closed by its client${hadError ? ', with an error' : ''}`)
      this.giveUp(broker, hadError)
      onClosed()
    })
    broker.once('close', (hadError) => {
      this.log(`closed by its broker${hadError ? ', with an error' : ''}`)
      this.giveUp(client, hadError)
    })
  }

  /** The weather has changed. */
  goOn(): void {
    this.toBroker.goOn()
    this.toClient.goOn()
  }

  reset(): void {
    this.log('reset by a fault')
    this.stop()
    reset(this.client)
    reset(this.broker)
  }

  /** One side is gone, and the other never hears of it. */
  halve(gone: 'client' | 'broker'): void {
    this.log(`half-open by a fault: its ${gone} is gone`)
    this.stop()
    const [lost, kept] = gone === 'client' ? [this.client, this.broker] : [this.broker, this.client]
    for (const socket of [lost, kept]) socket.removeAllListeners('close')
    reset(lost)
    kept.once('end', () => kept.destroy())
    kept.once('close', () => {
      this.log('closed by the side that was left')
      this.onClosed()
    })
  }

  private stop(): void {
    this.toBroker.stop()
    this.toClient.stop()
  }

  private giveUp(other: Socket, withReset: boolean): void {
    this.stop()
    if (withReset) reset(other)
    else other.destroySoon()
  }

  private weather(): Weather {
    const weather = this.hooks.weather()
    const isMeant =
      weather.clientId === undefined ? this.hooks.isUnderTest(this.clientId) : weather.clientId === this.clientId
    return isMeant ? weather : CALM
  }

  private wind(direction: 'toBroker' | 'toClient'): Wind {
    return this.clientId === '' ? NOTHING : windOf(this.weather(), direction)
  }

  private introduce(bytes: Buffer): void {
    if (this.clientId !== '') return
    const clientId = requestHead(bytes)?.clientId ?? ''
    if (clientId === '') return
    this.clientId = clientId
    this.log(`is of ${clientId}`)
  }

  private requested(bytes: Buffer): void {
    const head = requestHead(bytes)
    if (head === undefined || !this.hooks.isUnderTest(head.clientId)) return
    if (head.api !== PRODUCE) return
    this.unanswered.add(head.correlationId)
    this.log(`Produce ${head.correlationId} of ${bytes.readInt32BE()} bytes`)
  }

  private answered(correlationId: number): void {
    if (!this.unanswered.delete(correlationId)) return
    if (this.wantsSwallowing || this.weather().swallowsAnswers !== true) {
      this.log(`answer ${correlationId}`)
      return
    }
    this.wantsSwallowing = true
    this.log(`answer ${correlationId} swallowed`)
    // Not amid the bytes that are on their way.
    queueMicrotask(() => this.reset())
  }

  private log(line: string): void {
    this.hooks.log(`${this.name} ${line}`)
  }
}
