import { connect, type Socket } from 'node:net'
import type { CreateConnection } from '../../../src/index.js'
import type { ApiName, EmbeddedKafka } from '../../../src/testing/index.js'
import { portOf } from './producers.js'

/** A name that leads to one cluster, and from then on that it has moved to another one; what is open stays where it is. */
export class MovingName {
  /** In the order that they were connected in. */
  readonly sockets: Socket[] = []
  private port: number

  constructor(private readonly first: EmbeddedKafka) {
    this.port = portOf(first.bootstrap)
  }

  readonly connect: CreateConnection = () => {
    const socket = connect({ host: '127.0.0.1', port: this.port })
    this.sockets.push(socket)
    return socket
  }

  moveTo(other: EmbeddedKafka): void {
    this.port = portOf(other.bootstrap)
  }

  /** The connection on which the first cluster was first sent such a request. */
  socketOf(api: ApiName): Socket | undefined {
    const number = this.first.requests.find((request) => request.api === api)?.connection
    return number === undefined ? undefined : this.sockets[number - 1]
  }
}
