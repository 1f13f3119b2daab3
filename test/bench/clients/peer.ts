import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PEERS } from '../paths.js'

/** A package that is installed for the benchmark alone. `T` is what the client needs of it. */
export async function importPeer<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(createRequire(join(PEERS, 'package.json')).resolve(name)).href)) as T
}

export function hostsAndPorts(bootstrap: string): { host: string; port: number }[] {
  return bootstrap.split(',').map((address) => {
    const [host = '', port] = address.split(':')
    return { host, port: Number(port) }
  })
}
