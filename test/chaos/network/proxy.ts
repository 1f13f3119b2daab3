import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { ProxiedConnection } from './proxied-connection.js'
import { CALM, type Weather } from './weather.js'

const HOST = '127.0.0.1'

/** What a broker's clients connect to in its place; it has an address of its own, which may change. */
export class Proxy {
  /** Where the broker itself listens. */
  target = 0
  private readonly connections = new Set<ProxiedConnection>()
  private server: Server | undefined
  /** Addresses that were left, and are silent. */
  private readonly abandoned: Server[] = []
  /** Accepted, and never served. */
  private readonly unserved = new Set<Socket>()
  private current: Weather = CALM
  private port = 0
  private count = 0
  private servesNobody = false

  private constructor(
    private readonly broker: number,
    private readonly isUnderTest: (clientId: string) => boolean,
    private readonly log: (line: string) => void,
  ) {}

  static async start(
    broker: number,
    isUnderTest: (clientId: string) => boolean,
    log: (line: string) => void,
  ): Promise<Proxy> {
    const proxy = new Proxy(broker, isUnderTest, log)
    await proxy.listen(0)
    return proxy
  }

  get address(): string {
    return `${HOST}:${this.port}`
  }

  get weather(): Weather {
    return this.current
  }

  set weather(weather: Weather) {
    this.current = weather
    for (const connection of this.connections) connection.goOn()
  }

  /** Connections that are open: of one client, or of all those under test. */
  open(clientId?: string): ProxiedConnection[] {
    return [...this.connections].filter((connection) =>
      clientId === undefined ? this.isUnderTest(connection.clientId) : connection.clientId === clientId,
    )
  }

  /** New connections are refused, until it listens again; those that are open go on. */
  refuse(): void {
    this.server?.unref().close()
    this.server = undefined
  }

  async listenAgain(): Promise<void> {
    if (this.server === undefined) await this.listen(this.port)
  }

  /** New connections are accepted, and nothing is said on them. */
  set isSilent(isSilent: boolean) {
    this.servesNobody = isSilent
  }

  /** Listens elsewhere, and leaves the old address dead: refused, or accepted in silence. */
  async move(oldOne: 'refused' | 'silent'): Promise<void> {
    const old = this.port
    const { server } = this
    for (const connection of this.connections) connection.reset()
    if (oldOne === 'silent' && server !== undefined) {
      server.removeAllListeners('connection')
      server.on('connection', (socket) => this.ignore(socket))
      this.abandoned.push(server)
      this.server = undefined
    } else this.refuse()
    await this.listen(0)
    this.log(`broker ${this.broker}: moved from ${old} to ${this.port}, the old one is ${oldOne}`)
  }

  close(): void {
    for (const connection of this.connections) connection.reset()
    for (const socket of this.unserved) socket.destroy()
    for (const server of this.abandoned) server.close()
    this.refuse()
  }

  private async listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket))
    server.listen(port, HOST)
    await once(server, 'listening')
    this.server = server
    this.port = (server.address() as AddressInfo).port
  }

  private accept(client: Socket): void {
    const name = `broker ${this.broker} connection ${++this.count}:`
    if (this.servesNobody) {
      this.log(`${name} accepted and not served`)
      this.ignore(client)
      return
    }
    const connection = new ProxiedConnection(
      name,
      client,
      this.target,
      {
        weather: () => this.current,
        isUnderTest: this.isUnderTest,
        log: this.log,
      },
      () => this.connections.delete(connection),
    )
    this.connections.add(connection)
  }

  private ignore(client: Socket): void {
    this.unserved.add(client)
    client.on('error', () => undefined).resume()
    client.once('end', () => client.destroy()).once('close', () => this.unserved.delete(client))
  }
}
