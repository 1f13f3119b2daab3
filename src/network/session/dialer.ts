import { isIP, type Socket } from 'node:net'
import type { KafkaProducerError } from '../../errors.js'
import { GatheringBound } from '../../protocol/frame.js'
import type { Observers } from '../../stats/observer.js'
import type { Surroundings } from '../../surroundings.js'
import { BrokerConnection } from '../connection/broker-connection.js'
import type { Secret } from '../secret.js'
import { formatAddress, openSocket, type BrokerAddress, type TlsSettings } from '../streams/connect.js'
import type { CreateConnection } from '../streams/given-stream.js'
import { HostLookup } from '../streams/host-lookup.js'
import { TlsClient, type SslOption } from '../streams/tls.js'
import { BrokerFilter, type AllowBroker } from './broker-filter.js'
import type { Opening } from './opening.js'
import { ZOOKEEPER_PORT } from './session-failure.js'

/** What an error says of an address that the user never wrote anywhere. */
const NAMED_BY_CLUSTER =
  ' (an address that the cluster named, see `advertised.listeners` of its brokers; not of `brokers`)'

export interface DialOptions {
  /** The brokers that are asked first. */
  readonly brokers?: readonly BrokerAddress[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** Of one answer, and of all together that are not whole yet. */
  readonly maxResponseBytes: number
  readonly maxIdleMs: number
  /** How connections are secured; undefined: not at all. */
  readonly ssl?: Secret<SslOption> | undefined
  readonly allowBroker?: AllowBroker | undefined
  /** Gives the streams to brokers, in place of sockets. */
  readonly createConnection?: CreateConnection | undefined
}

/** Connects to brokers: on a socket or on what the user gives, by TLS or not; and keeps account of what it has opened. */
export class Dialer {
  /** Those whose socket is not closed yet. */
  readonly #connections = new Set<BrokerConnection>()
  private readonly hosts = new HostLookup()
  /** Where each connection leads to that has not been blamed. */
  private readonly remotes = new WeakMap<BrokerConnection, string>()
  private readonly gathering: GatheringBound
  private readonly tls: TlsClient | undefined
  private readonly filter: BrokerFilter

  constructor(
    private readonly options: DialOptions,
    private readonly surroundings: Surroundings,
    private readonly observers: Observers,
    /** Whether connecting may keep the process alive. */
    private readonly isNeeded: () => boolean,
  ) {
    const { brokers = [], allowBroker, connectTimeoutMs, maxResponseBytes, ssl } = options
    const { clock } = surroundings
    this.gathering = new GatheringBound(maxResponseBytes)
    this.tls = ssl === undefined ? undefined : new TlsClient(ssl, clock)
    this.filter = new BrokerFilter(brokers, allowBroker, connectTimeoutMs, clock)
  }

  get usesTls(): boolean {
    return this.tls !== undefined
  }

  /** @throws BrokerNotAllowedError where the user does not want it to be connected to; the signal's reason */
  async checkAllowed({ address, signal }: Opening): Promise<void> {
    await this.filter.check(address, signal)
  }

  /** Connects as the options say. */
  async dial(opening: Opening): Promise<BrokerConnection> {
    const how = this.tls === undefined ? '' : ' by TLS'
    opening.stage.enter(`connecting to ${formatAddress(opening.address)}${how}`)
    const { connectTimeoutMs } = this.options
    return this.dialBy(await this.tls?.settingsFor(opening.address, connectTimeoutMs, opening.signal), opening)
  }

  /** Connects by this TLS, or without any. */
  async dialBy(
    tls: TlsSettings | undefined,
    { address, signal }: Opening,
    timeoutMs = this.options.connectTimeoutMs,
  ): Promise<BrokerConnection> {
    const { clientId, maxResponseBytes, maxIdleMs, createConnection: create } = this.options
    const { clock, connect } = this.surroundings
    const origin = this.filter.isOfCluster(address) ? NAMED_BY_CLUSTER : undefined
    const terms = {
      timeoutMs,
      signal,
      isNeeded: this.isNeeded,
      hosts: this.hosts,
      origin,
      tls,
      create,
      connect,
      clock,
    }
    const socket = await openSocket(address, terms)
    const connection = new BrokerConnection(socket, address, {
      clientId,
      maxResponseBytes,
      maxIdleMs,
      gathering: this.gathering,
      clock,
      tellsTaken: create === undefined,
      observers: this.observers,
    })
    const isZooKeepers = address.port === ZOOKEEPER_PORT
    connection.hint = isZooKeepers
      ? undefined
      : tls === undefined
        ? 'if it expects TLS on this port, give `ssl`'
        : 'if it wants a client’s certificate, give `ssl: { cert, key }`'
    this.dropDestroyed()
    this.#connections.add(connection)
    if (create === undefined) this.watchAnswers(connection, (socket as Socket).remoteAddress)
    // Not when it is open no more: one that is ending still has a socket that has to close.
    socket.once('close', () => this.#connections.delete(connection))
    const onCallOff = () => connection.abandon(signal.reason as KafkaProducerError)
    signal.addEventListener('abort', onCallOff, { once: true })
    if (signal.aborted) onCallOff()
    return connection
  }

  /** The user's streams need not tell that they are closed. */
  private dropDestroyed(): void {
    for (const connection of this.#connections) if (connection.isDestroyed) this.#connections.delete(connection)
  }

  /** Of a name's addresses those that answer are tried before others, the next time that it is connected to. */
  private watchAnswers(connection: BrokerConnection, remote: string | undefined): void {
    if (remote === undefined || isIP(connection.address.host)) return
    this.remotes.set(connection, remote)
    connection.onClose(() => {
      if (connection.hasAnswered) this.hosts.clear(connection.address.host, remote)
      else if (connection.hasAsked) this.blame(connection)
    })
  }

  /** The host's address that it leads to is not tried first any more. */
  blame(connection: BrokerConnection): void {
    const remote = this.remotes.get(connection)
    this.remotes.delete(connection)
    if (remote !== undefined) this.hosts.blame(connection.address.host, remote)
  }

  /** Ends every connection that it ever opened. Resolves when all sockets are closed. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close(graceMs)))
  }
}
