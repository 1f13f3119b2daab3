import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Clock } from '../../src/clock.js'
import type { Acceptor, Listen } from '../../src/testing/listener.js'
import type { Dice } from './dice.js'
import { Lies, Talk } from './lies.js'

/** What the systems of both sides take in before whoever writes has to wait. */
const WINDOW_BYTES = 16 * 1024
const FIRST_PORT = 9_001
const NOTHING = Buffer.alloc(0)
/** How much later whoever writes hears that it is done. */
const LATE_MS = 20

export interface NetworkOptions {
  /** Milliseconds on the way, at the most. */
  readonly delayMs: number
  /** How often what is sent at once arrives in parts. */
  readonly splits: number
  /** How often whoever writes hears only later that the system has it: an answer may come before. */
  readonly lateTaken?: number
}

/** What was written, as it was then. */
interface Written {
  readonly chunks: readonly Buffer[]
  readonly was: Buffer
}

type Item = { readonly due: number; readonly bytes: Buffer } | { readonly due: number; readonly bytes: null }

function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
}

/** What goes one way: in order, each later than it was sent. */
class Way {
  private readonly items: Item[] = []
  private isWaiting = false
  private lastDue = 0
  /** Sent, and not taken in by the other side. */
  outstanding = 0
  /** Sent in all. */
  sent = 0

  constructor(
    private readonly wire: Wire,
    readonly to: () => SimSocket,
  ) {}

  send(bytes: Buffer): void {
    this.outstanding += bytes.length
    this.sent += bytes.length
    const { dice, options } = this.wire.network
    for (let from = 0; from < bytes.length;) {
      const rest = bytes.length - from
      const length = dice.isLucky(options.splits) ? dice.between(1, rest) : rest
      this.put(bytes.subarray(from, from + length))
      from += length
    }
  }

  sendEnd(): void {
    this.put(null)
  }

  private put(bytes: Buffer | null): void {
    const { clock, dice, options } = this.wire.network
    this.lastDue = Math.max(this.lastDue, clock.now() + dice.number() * options.delayMs)
    this.items.push({ due: this.lastDue, bytes })
    this.pump()
  }

  private pump(): void {
    const { clock } = this.wire.network
    const [first] = this.items
    if (first === undefined || this.isWaiting) return
    this.isWaiting = true
    clock.setTimeout(
      () => {
        this.isWaiting = false
        if (this.wire.isDead) return
        const now = clock.now()
        if (now < this.wire.silentUntil || now < first.due) return this.pump()
        this.items.shift()
        this.to().arrive(first.bytes, this)
        this.pump()
      },
      Math.max(first.due, this.wire.silentUntil) - clock.now(),
    )
  }
}

/** One connection. */
export class Wire {
  readonly client: SimSocket
  readonly server: SimSocket
  /** Nothing arrives any more, and nobody is told. */
  isDead = false
  isAccepted = false
  silentUntil = 0
  readonly talk = new Talk()
  /** What the broker has sent so far is no answer: by then the client has ended it. */
  endsBy = Infinity

  constructor(
    readonly network: SimNetwork,
    readonly id: number,
    readonly port: number,
  ) {
    const there = new Way(this, () => this.server)
    const back = new Way(this, () => this.client)
    this.client = new SimSocket(this, there, back, true)
    this.server = new SimSocket(this, back, there, false)
  }

  /** Both sides lose it at once, and what was on the way. */
  reset(): void {
    this.isDead = true
    this.client.destroy(reset())
    // One that nobody has accepted yet is nobody's.
    this.server.destroy(this.isAccepted ? reset() : undefined)
  }

  /** The broker's side is gone, and nobody tells the client. */
  goHalf(): void {
    this.isDead = true
    this.server.destroy()
  }
}

/** One side of a connection: a `net.Socket` as far as those use it who know of no other. */
export class SimSocket extends Duplex {
  connecting = false
  private readonly inbox: (Buffer | null)[] = []
  private wantsMore = false
  private taken = 0
  /** The system has it, and whoever wrote it does not know. */
  private untold: (Written & { readonly done: () => void }) | undefined
  /** Of the bytes that it takes in: with these it hears what is no answer. */
  ending: { readonly after: number; readonly withinMs: number } | undefined
  private toTake: (Written & { readonly done: (error?: Error | null) => void }) | undefined

  constructor(
    private readonly wire: Wire,
    private readonly out: Way,
    private readonly into: Way,
    private readonly isClient: boolean,
  ) {
    // As with sockets: a broker may answer whoever sends no more.
    super({ allowHalfOpen: !isClient })
  }

  get remotePort(): number {
    return this.wire.id
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  connected(): void {
    this.connecting = false
    this.emit('connect')
    this.takeLater()
  }

  arrive(bytes: Buffer | null, way: Way): void {
    if (this.destroyed) {
      // Whoever sends to what is no more hears of it.
      if (bytes !== null && bytes.length > 0) this.wire.reset()
      way.outstanding = 0
      return
    }
    this.wire.network.trace(`${this.wire.id}${this.isClient ? '<' : '>'}${bytes === null ? 'end' : bytes.length}`)
    this.inbox.push(bytes)
    this.passOn()
  }

  private passOn(): void {
    while (this.wantsMore && this.inbox.length > 0) {
      const bytes = this.inbox.shift() as Buffer | null
      if (bytes !== null) this.takeIn(bytes.length)
      this.wantsMore = this.push(bytes)
    }
    if (this.into.outstanding < WINDOW_BYTES) this.other().takeLater()
  }

  private takeIn(bytes: number): void {
    this.into.outstanding -= bytes
    this.taken += bytes
    if (this.ending === undefined || this.taken < this.ending.after) return
    this.wire.endsBy = Math.min(this.wire.endsBy, this.wire.network.clock.now() + this.ending.withinMs)
  }

  private other(): SimSocket {
    return this.wire.client === this ? this.wire.server : this.wire.client
  }

  override _read(): void {
    this.wantsMore = true
    this.passOn()
  }

  override write(chunk: Buffer, ...rest: never[]): boolean {
    if (this.isClient) this.wire.network.onWritten?.(chunk)
    return super.write(chunk, ...rest)
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.give([chunk], done)
  }

  override _writev(all: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.give(
      all.map(({ chunk }) => chunk),
      done,
    )
  }

  private give(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    const was = this.isClient ? Buffer.concat(chunks) : NOTHING
    this.toTake = { chunks, was, done }
    this.takeLater()
  }

  private takeLater(): void {
    const { toTake } = this
    if (toTake === undefined || this.connecting) return
    const { clock, dice } = this.wire.network
    const take = () => {
      if (this.toTake !== toTake || this.destroyed || this.out.outstanding >= WINDOW_BYTES) return
      this.toTake = undefined
      // Copied only now: what has changed since it was written goes out changed.
      const bytes = this.isClient ? this.ask(toTake.chunks) : this.answer(toTake.chunks)
      if (this.wire.isDead) this.out.outstanding += bytes.length
      else this.out.send(bytes)
      this.tellTaken(toTake)
    }
    if (dice.isLucky(0.7)) clock.setImmediate(take)
    else clock.setTimeout(take, dice.between(1, 3))
  }

  /** The system has it. Until whoever wrote it hears of that, it is the system's. */
  private tellTaken(written: Written & { readonly done: () => void }): void {
    const { network } = this.wire
    const { lateTaken = 0 } = network.options
    const done = () => {
      if (this.isClient) network.checkUnchanged(written)
      // One that was destroyed has told it by then.
      if (this.untold !== written) return
      this.untold = undefined
      written.done()
    }
    this.untold = written
    if (this.isClient && lateTaken > 0 && network.dice.isLucky(lateTaken)) network.clock.setTimeout(done, LATE_MS)
    else done()
  }

  private ask(chunks: readonly Buffer[]): Buffer {
    const bytes = Buffer.concat(chunks)
    const { network, talk } = this.wire
    network.onTaken?.(bytes)
    talk.asked(bytes)
    return bytes
  }

  /** Brokers write an answer in one go. */
  private answer(chunks: readonly Buffer[]): Buffer {
    const { network, talk } = this.wire
    const told = chunks.map((chunk) => network.lies.told(talk, chunk))
    const bytes = Buffer.concat(told.map((one) => one.bytes))
    const endsWithin = Math.min(...told.map((one) => one.endsWithin))
    if (endsWithin < Infinity) this.wire.client.ending ??= { after: this.out.sent + bytes.length, withinMs: endsWithin }
    return bytes
  }

  override _final(done: () => void): void {
    if (!this.wire.isDead) this.out.sendEnd()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // As Node's do: the write in progress is told that it is done.
    const { toTake, untold } = this
    this.toTake = this.untold = undefined
    const written = toTake ?? untold
    // Nobody can tell whether the system still reads it.
    if (this.isClient && written !== undefined) this.wire.network.leftUnread(written)
    written?.done()
    if (!this.wire.isDead && !this.writableFinished) this.out.sendEnd()
    this.wire.network.closed(this.wire)
    done(error)
  }
}

/** Connections within this process, with all that happens to connections. */
export class SimNetwork {
  private readonly listeners = new Map<number, Acceptor>()
  private nextPort = FIRST_PORT
  private count = 0
  readonly wires = new Set<Wire>()
  readonly lies: Lies
  /** The most that were being opened at once. */
  mostOpening = 0
  /** For how long nobody took connections at a port, at the longest. */
  longestDeafMs = 0
  /** Told what the system of a client has taken. */
  onTaken: ((bytes: Buffer) => void) | undefined
  /** Told what clients give to their connections. */
  onWritten: ((bytes: Buffer) => void) | undefined
  /** Told what was written and has changed before it was done with. */
  onChanged: (() => void) | undefined
  /** What was being written when its connection ended. */
  private readonly unread: Written[] = []
  /** By port: until when nobody answers who connects there. */
  private readonly deafUntil = new Map<number, number>()

  constructor(
    readonly clock: Clock,
    readonly dice: Dice,
    readonly options: NetworkOptions,
    readonly trace: (what: string) => void,
  ) {
    this.lies = new Lies(trace)
  }

  readonly listen: Listen = async (_host, wanted, acceptor) => {
    const port = wanted === 0 ? this.nextPort++ : wanted
    this.listeners.set(port, acceptor)
    return {
      port,
      close: async () => {
        if (this.listeners.get(port) === acceptor) this.listeners.delete(port)
      },
    }
  }

  readonly connect = ({ port }: { readonly port: number }): Socket => {
    const wire = new Wire(this, ++this.count, port)
    const { client, server } = wire
    client.connecting = true
    this.wires.add(wire)
    this.trace(`${wire.id} connects to ${port}`)
    const opening = [...this.wires].filter((other) => other.client.connecting && !other.client.destroyed)
    this.mostOpening = Math.max(this.mostOpening, opening.length)
    const answer = () => {
      if (client.destroyed) return
      const deafFor = (this.deafUntil.get(port) ?? 0) - this.clock.now()
      if (deafFor > 0) return void this.clock.setTimeout(answer, deafFor)
      const acceptor = this.listeners.get(port)
      if (acceptor === undefined) {
        client.destroy(Object.assign(new Error(`connect ECONNREFUSED ${port}`), { code: 'ECONNREFUSED' }))
        return
      }
      wire.isAccepted = true
      acceptor.arrived(server)
      acceptor.accept(server)
      client.connected()
    }
    this.clock.setTimeout(answer, this.dice.number() * this.options.delayMs)
    return client as unknown as Socket
  }

  /** What was written stays as it is until whoever wrote it hears that it is done with. */
  checkUnchanged({ chunks, was }: Written): void {
    if (!Buffer.concat(chunks).equals(was)) this.onChanged?.()
  }

  leftUnread(written: Written): void {
    this.unread.push(written)
  }

  /** What was being written when its connection ended is not used again. */
  checkUnread(): void {
    for (const written of this.unread) this.checkUnchanged(written)
  }

  closed(wire: Wire): void {
    if (wire.client.destroyed && (wire.server.destroyed || wire.client.connecting)) this.wires.delete(wire)
    this.trace(`${wire.id} closed`)
  }

  /** Whoever connects to that port hears nothing for so long. */
  beDeaf(port: number, ms: number): void {
    this.longestDeafMs = Math.max(this.longestDeafMs, ms)
    this.deafUntil.set(port, this.clock.now() + ms)
  }

  to(port: number): Wire[] {
    return [...this.wires].filter((wire) => wire.port === port)
  }

  /** From here on the network is a good one. */
  heal(): void {
    this.deafUntil.clear()
    this.lies.end()
    for (const wire of this.wires) {
      wire.silentUntil = 0
      // Both sides hear of what one of them knows.
      if (wire.isDead) wire.reset()
    }
  }
}
