import { backoffMs, jitter, type BackoffSettings } from '../../backoff.js'
import { sleep } from '../../clock.js'
import { ConnectionClosedError, type KafkaProducerError } from '../../errors.js'
import type { BrokerConnection } from '../../network/connection/broker-connection.js'
import type { BrokerSession, SessionFactory } from '../../network/session/session.js'
import { Stage } from '../../network/stage.js'
import { formatAddress, type BrokerAddress } from '../../network/streams/connect.js'
import type { Slots } from '../../network/streams/slots.js'
import {
  produce,
  sizeOfProduceRequest,
  type ProduceRequest,
  type ProduceResponse,
} from '../../protocol/apis/produce.js'
import { LEGACY_VERSIONS } from '../../protocol/versions.js'
import { SYSTEM, type Surroundings } from '../../surroundings.js'
import { timerDelay } from '../../timer-delay.js'

/** What it waits before it connects again is the back-off. */
export interface SyncProducerConfig extends BackoffSettings {
  readonly requestTimeoutMs: number
  /** No message waits longer than this for an answer. */
  readonly deliveryTimeoutMs: number
}

/** A broker that gathers acknowledgements up to its time-out answers a little after it. */
const ANSWER_GRACE_MS = 1_000

/** How long the connection of a retired one may take to end. */
const RETIRED_GRACE_MS = 1_000

/**
 * The connection to one broker for its messages (Kafka 0.8's SyncProducer): opened at first use, and again after it was
 * lost. Every request gets its answer; several may be on their way, in order.
 */
export class SyncProducer {
  private current: BrokerSession | undefined
  private connecting: Promise<BrokerSession> | undefined
  /** Requests without their answer. */
  private pending = 0
  private readonly retirement = new AbortController()
  private failures = 0
  /** Why connecting failed last; undefined once it has not. */
  problem: KafkaProducerError | undefined
  private notBefore = 0
  /** While it connects: how far that has come. */
  readonly stage: Stage

  constructor(
    private readonly nodeId: number,
    readonly address: BrokerAddress,
    private readonly sessions: SessionFactory,
    /** Held by whoever is connecting. */
    private readonly slots: Slots,
    private readonly config: SyncProducerConfig,
    private readonly surroundings: Surroundings = SYSTEM,
  ) {
    this.stage = new Stage(surroundings.clock)
  }

  /** Whether the metadata no longer has this address. */
  get isRetired(): boolean {
    return this.retirement.signal.aborted
  }

  /** The session at hand; undefined before the first and after a loss. */
  get session(): BrokerSession | undefined {
    return this.current?.connection.isOpen ? this.current : undefined
  }

  /** A session, opened where there is none; all who ask meanwhile get the same one. It rejects when this is retired. */
  connect(): Promise<BrokerSession> {
    if (this.session !== undefined) return Promise.resolve(this.session)
    this.connecting ??= this.open().finally(() => {
      this.connecting = undefined
    })
    return this.connecting
  }

  private async open(): Promise<BrokerSession> {
    const wait = this.notBefore - this.surroundings.clock.now()
    const { signal } = this.retirement
    const { stage, nodeId } = this
    try {
      stage.enter(`waiting before connecting to ${formatAddress(this.address)} again`)
      if (wait > 0) await sleep(this.surroundings.clock, timerDelay(wait), signal)
      stage.enter(`waiting for other connections to be opened before that to ${formatAddress(this.address)}`)
      const options = { signal, stage, nodeId, mustBeOfCluster: true }
      const open = () => this.sessions.open(this.address, options)
      this.current = await this.slots.run(open, signal, this.failures > 0)
      this.failures = 0
      this.problem = undefined
      if (this.isRetired) this.endWhenAnswered()
      return this.current
    } catch (error) {
      const { clock, random } = this.surroundings
      this.notBefore = clock.now() + backoffMs(this.config, ++this.failures) * jitter(random)
      this.problem = error as KafkaProducerError
      throw error
    }
  }

  /**
   * Sends a Produce request; resolves with the answer, or with undefined once the system has the bytes (acks 0).
   *
   * @param onWritten called when the request goes to the socket, which may be later or never
   * @param onTaken called when the system has taken its bytes, which may be never
   */
  async send(
    session: BrokerSession,
    version: number,
    request: ProduceRequest,
    onWritten: () => void,
    onTaken: () => void,
  ): Promise<ProduceResponse | undefined> {
    this.pending++
    try {
      return await this.exchange(session, version, request, onWritten, onTaken)
    } finally {
      this.pending--
      if (this.isRetired) this.endWhenAnswered()
    }
  }

  private exchange(
    { connection, versions }: BrokerSession,
    version: number,
    request: ProduceRequest,
    onWritten: () => void,
    onTaken: () => void,
  ): Promise<ProduceResponse | undefined> {
    const capacity = sizeOfProduceRequest(request)
    const { requestTimeoutMs, deliveryTimeoutMs } = this.config
    // A broker older than ApiVersions answers in time or never, and with acks 0 none gathers anything.
    const gathersFor = requestTimeoutMs + (request.acks === 0 || versions === LEGACY_VERSIONS ? 0 : ANSWER_GRACE_MS)
    // After that nobody waits any more; a broker that is merely slow may still keep its connection.
    const timeoutMs = Math.min(gathersFor, deliveryTimeoutMs + ANSWER_GRACE_MS)
    const options = { timeoutMs, capacity, onWritten, onTaken }
    // The metadata was had by the same listener: if it hangs up now, it is not for want of SASL.
    connection.hint = undefined
    if (request.acks === 0) return connection.sendOneWay(produce, version, request, options).then(() => undefined)
    return connection.request(produce, version, request, options)
  }

  /** Drops the connection after an answer that contradicts its request: what is in flight on it fails, and is tried again. */
  disconnect(connection: BrokerConnection): void {
    connection.abandon(
      new ConnectionClosedError(`the connection to ${formatAddress(this.address)} was closed by this client`),
    )
  }

  /**
   * For a broker that the metadata no longer has at this address: the connection ends, but not before all is answered.
   * Such a broker may be shutting down under control, and what was cut off would be written twice. A connection that is
   * only being opened is given up: nothing was written on it.
   */
  retire(): void {
    this.retirement.abort()
    this.endWhenAnswered()
  }

  private endWhenAnswered(): void {
    if (this.pending === 0) void this.session?.connection.close(RETIRED_GRACE_MS)
  }
}
