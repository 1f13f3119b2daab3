import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { CreateConnection } from '../../../src/index.js'
import { SYSTEM } from '../../../src/surroundings.js'
import { EmbeddedKafka, type ApiName, type EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { listenOnSockets, type Listen } from '../../../src/testing/listener.js'
import { portOf } from './producers.js'

/** A name that leads to one cluster, and from then on that it has moved to another one; what is open stays where it is. */
export class MovingName {
  /** In the order that they were connected in. */
  readonly sockets: Socket[] = []
  private port: number
  /** Where those listen that tell another port. */
  private readonly ports = new Map<EmbeddedKafka, number>()

  constructor(private readonly first: EmbeddedKafka) {
    this.port = portOf(first.bootstrap)
  }

  readonly connect: CreateConnection = () => {
    const socket = connect({ host: '127.0.0.1', port: this.port })
    this.sockets.push(socket)
    return socket
  }

  moveTo(other: EmbeddedKafka): void {
    this.port = this.ports.get(other) ?? portOf(other.bootstrap)
  }

  /** Another cluster, whose broker tells the same address for its own. */
  async startNamesake(options: EmbeddedKafkaOptions): Promise<EmbeddedKafka> {
    let port = 0
    const listen: Listen = async (host, told, acceptor) => {
      const listener = await listenOnSockets(undefined)(host, 0, acceptor)
      port = listener.port
      return { port: told, close: () => listener.close() }
    }
    const ports = [portOf(this.first.bootstrap)]
    const namesake = await EmbeddedKafka.start({ ...options, ports }, { ...SYSTEM, listen })
    onTestFinished(() => namesake.stop())
    this.ports.set(namesake, port)
    return namesake
  }

  /** The connection on which the first cluster was first sent such a request. */
  socketOf(api: ApiName): Socket | undefined {
    const number = this.first.requests.find((request) => request.api === api)?.connection
    return number === undefined ? undefined : this.sockets[number - 1]
  }
}
