import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { ADDRESSES, type Address } from './addresses.js'
import { ProxiedConnection } from './proxied-connection.js'
import { CALM, type Weather } from './weather.js'

/** What becomes of an address that is left: nobody listens, or somebody who says nothing. */
export type Dead = 'refused' | 'silent'

interface Listening {
  readonly server: Server
  /** Connections are accepted, and nothing is said on them. */
  isSilent: boolean
}

/** What a broker's clients connect to in its place: a port of its own, which may change, on each of the addresses. */
export class Proxy {
  /** Where the broker itself listens. */
  target = 0
  private readonly connections = new Map<ProxiedConnection, Address>()
  private readonly listening = new Map<Address, Listening>()
  /** Of ports that were left, and are silent. */
  private readonly abandoned: Server[] = []
  /** Accepted, and never served. */
  private readonly unserved = new Set<Socket>()
  private current: Weather = CALM
  private count = 0

  private constructor(
    private readonly broker: number,
    private readonly isUnderTest: (clientId: string) => boolean,
    private readonly log: (line: string) => void,
    public port: number,
  ) {}

  static async start(
    broker: number,
    isUnderTest: (clientId: string) => boolean,
    log: (line: string) => void,
  ): Promise<Proxy> {
    const proxy = new Proxy(broker, isUnderTest, log, await freePort())
    await proxy.revive()
    return proxy
  }

  get weather(): Weather {
    return this.current
  }

  set weather(weather: Weather) {
    this.current = weather
    for (const connection of this.connections.keys()) connection.goOn()
  }

  /** Connections under test that are open: of one client, or of all. */
  open(clientId?: string): ProxiedConnection[] {
    return [...this.connections.keys()].filter((connection) =>
      clientId === undefined ? this.isUnderTest(connection.clientId) : connection.clientId === clientId,
    )
  }

  /** Its connections break, and new ones are refused, or accepted in silence. */
  kill(address: Address, how: Dead): void {
    this.breakConnections(address)
    const listening = this.listening.get(address)
    if (how === 'refused') {
      listening?.server.unref().close()
      this.listening.delete(address)
    } else if (listening !== undefined) listening.isSilent = true
  }

  /** All addresses are served again. */
  async revive(): Promise<void> {
    for (const address of ADDRESSES) {
      const listening = this.listening.get(address)
      if (listening === undefined) await this.listen(address)
      else listening.isSilent = false
    }
  }

  /** Another port; the old one is dead from now on. */
  async move(how: Dead): Promise<void> {
    const old = this.port
    for (const address of ADDRESSES) {
      this.kill(address, how)
      const server = this.listening.get(address)?.server
      if (server !== undefined) this.abandoned.push(server)
      this.listening.delete(address)
    }
    this.port = await freePort()
    await this.revive()
    this.log(`broker ${this.broker}: moved from ${old} to ${this.port}, the old one is ${how}`)
  }

  close(): void {
    for (const address of ADDRESSES) this.kill(address, 'refused')
    for (const socket of this.unserved) socket.destroy()
    for (const server of this.abandoned) server.close()
  }

  private breakConnections(address: Address): void {
    for (const [connection, own] of this.connections) if (own === address) connection.reset()
  }

  private async listen(address: Address): Promise<void> {
    const listening = {
      server: createServer({ allowHalfOpen: true }, (socket) => this.accept(socket, address, listening)),
      isSilent: false,
    }
    listening.server.listen(this.port, address)
    this.listening.set(address, listening)
    await once(listening.server, 'listening')
  }

  private accept(client: Socket, address: Address, { isSilent }: Listening): void {
    const name = `broker ${this.broker} connection ${++this.count}:`
    if (isSilent) {
      this.log(`${name} accepted and not served`)
      this.unserved.add(client)
      client.on('error', () => undefined).resume()
      client.once('end', () => client.destroy()).once('close', () => this.unserved.delete(client))
      return
    }
    const hooks = { weather: () => this.current, isUnderTest: this.isUnderTest, log: this.log }
    const onClosed = (): boolean => this.connections.delete(connection)
    const connection = new ProxiedConnection(name, client, this.target, hooks, onClosed)
    this.connections.set(connection, address)
  }
}

/** Below those that the system gives to outgoing connections: it must be free again later. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 5_000)
    const servers = ADDRESSES.map((address) => createServer().listen(port, address))
    const isFree = await Promise.all(servers.map((server) => once(server, 'listening'))).then(
      () => true,
      () => false,
    )
    for (const server of servers) server.close()
    if (isFree) return port
  }
}
