import { isIP } from 'node:net'

/**
 * The addresses that names have.
 *
 * A look-up can't be cancelled: until the system's resolver gives up by itself, it takes one of the few threads that the
 * whole process has for such work, and keeps the process alive. How long is the resolver's affair (resolv.conf: by
 * default two rounds of 5 seconds for each name server). So there is at most one at a time for a name, which all who ask
 * meanwhile share; whoever can't wait for it leaves it to the others.
 */
export class HostLookup {
  private readonly pending = new Map<string, Promise<string[]>>()

  /** In the resolver's order, each once. */
  addressesOf(host: string): Promise<string[]> {
    if (isIP(host)) return Promise.resolve([host])
    let found = this.pending.get(host)
    if (found === undefined) {
      found = lookUp(host).finally(() => this.pending.delete(host))
      this.pending.set(host, found)
    }
    return found
  }
}

async function lookUp(host: string): Promise<string[]> {
  // Loaded by whoever gives names, and not with the library: that takes as long as a fair part of its own code.
  const { lookup } = process.getBuiltinModule('node:dns/promises')
  const found = await lookup(host, { all: true, verbatim: true })
  if (found.length === 0) throw new Error(`the name '${host}' has no address`)
  return [...new Set(found.map(({ address }) => address))]
}
