import { isIP } from 'node:net'
import { LatestUsed } from '../latest-used.js'
import { orAborted } from '../or-aborted.js'
import { Slots } from './slots.js'

/** How many names are looked up at once: half the threads that Node has for that, unless it is told otherwise. */
const MAX_LOOK_UPS = 2
/** Addresses that come and go must not pile up. */
const MAX_BLAMED = 1_000

/** A look-up, for all who want to know the addresses of that name. */
interface LookUp {
  readonly found: Promise<string[]>
  readonly callOff: AbortController
  askers: number
  isBegun: boolean
}

/**
 * The addresses that names have.
 *
 * A look-up can't be cancelled: until the system's resolver gives up by itself, it takes one of the few threads that the
 * whole process has for such work, files and compression among it, and keeps the process alive. How long is the
 * resolver's affair (resolv.conf: by default two rounds of 5 seconds for each name server). So there is at most one at a
 * time for a name, which all who ask meanwhile share, and few at a time in all: metadata may name any number of hosts.
 * Whoever can't wait for it leaves it to the others; one that is not begun yet is dropped with the last who waits.
 */
export class HostLookup {
  private readonly pending = new Map<string, LookUp>()
  private readonly slots = new Slots(MAX_LOOK_UPS)
  /** How often an address of a name accepted a connection and answered nothing on it, since it answered last. */
  private readonly blamed = new LatestUsed<string, number>(MAX_BLAMED)

  /**
   * In the resolver's order, each once; those that were {@link blame blamed} more often behind the others.
   *
   * @throws the signal's reason once that is aborted
   */
  async addressesOf(host: string, signal: AbortSignal): Promise<string[]> {
    if (isIP(host)) return [host]
    const lookUp = this.pending.get(host) ?? this.begin(host)
    const leave = () => {
      if (--lookUp.askers > 0 || lookUp.isBegun) return
      this.pending.delete(host)
      lookUp.callOff.abort()
    }
    lookUp.askers++
    signal.addEventListener('abort', leave, { once: true })
    try {
      const found = await orAborted(lookUp.found, signal)
      const timesBlamed = (address: string) => this.blamed.get(keyOf(host, address)) ?? 0
      return found.length === 1 ? found : found.toSorted((a, b) => timesBlamed(a) - timesBlamed(b))
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** What listens there accepts connections and answers nothing: another address of the name may do better. */
  blame(host: string, address: string): void {
    const key = keyOf(host, address)
    this.blamed.set(key, (this.blamed.get(key) ?? 0) + 1)
  }

  /** It answers. */
  clear(host: string, address: string): void {
    this.blamed.delete(keyOf(host, address))
  }

  private begin(host: string): LookUp {
    const callOff = new AbortController()
    const begin = () => {
      lookUp.isBegun = true
      return resolve(host)
    }
    const found = Promise.resolve()
      .then(() => this.slots.run(begin, callOff.signal))
      .finally(() => {
        if (this.pending.get(host) === lookUp) this.pending.delete(host)
      })
    const lookUp: LookUp = { found, callOff, askers: 0, isBegun: false }
    this.pending.set(host, lookUp)
    return lookUp
  }
}

function keyOf(host: string, address: string): string {
  return `${host} ${address}`
}

async function resolve(host: string): Promise<string[]> {
  // Loaded by whoever gives names, and not with the library: that takes as long as a fair part of its own code.
  const { lookup } = process.getBuiltinModule('node:dns/promises')
  const found = await lookup(host, { all: true, verbatim: true })
  if (found.length === 0) throw new Error(`the name '${host}' has no address`)
  return [...new Set(found.map(({ address }) => address))]
}
