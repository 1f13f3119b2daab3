import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.js'
import type { ClusterNode } from './cluster.js'
import { ClientConnection, type ConnectionOwner } from './connection.js'
import type { Acceptor, Listen, Listener } from './listener.js'
import type { PendingRequest, Reply, RequestServer, ServeSignals } from './request-server.js'
import { SaslSession, type SaslServer } from './security/sasl-server.js'
import { Gate, newLifetime } from './waiting.js'

export interface BrokerParts {
  readonly node: ClusterNode
  readonly server: RequestServer
  /** A number for a new connection. */
  nextConnection(): number
  failed(error: unknown): void
  readonly clock: Clock
  readonly listen: Listen
  readonly sasl: SaslServer | undefined
}

/** One broker: its listener and its connections. */
export class EmbeddedBroker implements ConnectionOwner, Acceptor {
  readonly running = new Gate()
  readonly node: ClusterNode
  readonly connections = new Set<ClientConnection>()
  /** Sockets, before TLS is agreed on too. */
  private readonly sockets = new Set<Duplex>()
  private listener: Listener | undefined
  /** Whether it is about to listen, which takes a moment. */
  isStarting = false
  private lifetime = newLifetime()
  /** Each is somebody who wants new connections to be refused. */
  private readonly refusals = new Set<symbol>()
  /** What listens again after them, one at a time: it takes a moment, in which anything may happen. */
  private reopening: Promise<void> = Promise.resolve()
  readonly clock: Clock

  constructor(private readonly parts: BrokerParts) {
    this.node = parts.node
    this.clock = parts.clock
  }

  get stopped(): AbortSignal {
    return this.lifetime.signal
  }

  /** Listens on the port given; 0 is one that the system chooses. */
  async listen(port: number): Promise<void> {
    this.isStarting = true
    try {
      const listener = await this.parts.listen(this.node.host, port, this)
      this.listener = listener
      this.refusals.clear()
      if (this.stopped.aborted) this.lifetime = newLifetime()
      this.node.port = listener.port
    } finally {
      this.isStarting = false
    }
  }

  /** New connections are refused until the function is called that it gives, or the broker is stopped; those there are stay. */
  refuseConnections(): () => void {
    const refusal = Symbol('refusal')
    this.refusals.add(refusal)
    void this.stopListening()
    return () => {
      if (!this.refusals.delete(refusal)) return
      this.reopening = this.reopening.then(() => this.reopen()).catch((error: unknown) => this.failed(error))
    }
  }

  /** Listens again, unless somebody refuses connections still, or the broker has been stopped. */
  private async reopen(): Promise<void> {
    const { stopped } = this
    const isUnwanted = () => stopped.aborted || this.refusals.size > 0
    if (isUnwanted() || this.listener !== undefined) return
    const listener = await this.parts.listen(this.node.host, this.node.port, this)
    if (!isUnwanted()) {
      this.listener = listener
      return
    }
    const closed = listener.close()
    if (!stopped.aborted) return
    this.dropConnections()
    await closed
  }

  /** New connections are refused; those there are stay. Resolves when these have closed. */
  private stopListening(): Promise<void> | undefined {
    const closed = this.listener?.close()
    this.listener = undefined
    return closed
  }

  /** Refuses new connections and breaks those there are. Resolves when all are gone. */
  async stop(): Promise<void> {
    const closed = this.stopListening()
    this.lifetime.abort()
    this.dropConnections()
    this.resume()
    await Promise.all([closed, this.reopening])
  }

  dropConnections(): void {
    for (const connection of this.connections) connection.destroy()
    for (const socket of this.sockets) socket.destroy()
  }

  pause(): void {
    this.running.close()
    for (const connection of this.connections) connection.readOrNot()
  }

  resume(): void {
    this.running.open()
    for (const connection of this.connections) connection.readOrNot()
  }

  receive(frame: Buffer, connection: ClientConnection): PendingRequest {
    const { sasl } = connection
    if (sasl === undefined) return this.parts.server.receive(frame, this.node, connection)
    // Kept beyond this turn, and the socket's buffer may not be.
    const bytes = Buffer.from(frame)
    return { serve: (signals) => this.serveSecured(bytes, connection, sasl, signals) }
  }

  /** What a frame is, and whether it is served, only shows when those before it are answered. */
  private async serveSecured(
    frame: Buffer,
    connection: ClientConnection,
    sasl: SaslSession,
    signals: ServeSignals,
  ): Promise<Reply> {
    const {
      node,
      parts: { server },
    } = this
    if (!sasl.awaitsBareToken && !sasl.admits(frame)) {
      return server.refuse(frame, node, connection, 'its client is not authenticated, or no longer').serve(signals)
    }
    const request = sasl.awaitsBareToken
      ? server.receiveToken(frame, sasl, node, connection)
      : server.receive(frame, node, connection)
    const reply = await request.serve(signals)
    return sasl.isOver ? { ...reply, hangUp: true } : reply
  }

  lostPlace(connection: ClientConnection, why: string): void {
    this.parts.server.refuse(Buffer.alloc(0), this.node, connection, why)
  }

  failed(error: unknown): void {
    this.parts.failed(error)
  }

  closed(connection: ClientConnection): void {
    this.connections.delete(connection)
  }

  arrived(connection: Duplex): void {
    this.sockets.add(connection)
    connection.once('close', () => this.sockets.delete(connection))
  }

  accept(stream: Duplex): void {
    const id = this.parts.nextConnection()
    const { sasl } = this.parts
    this.connections.add(new ClientConnection(id, stream, this, sasl && new SaslSession(sasl, id, this.node.release)))
  }
}
