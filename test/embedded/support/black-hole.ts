import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/** Listens, and then stands still, so that the system has nobody to hand a connection to. */
const LISTENER = `
  const { parentPort, workerData: { host, port, ended } } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ host, port, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(ended, 0, 0)
    process.exit()
  })`

/** As many as the system keeps for a listener that has a backlog of one; it leaves any further SYN unanswered. */
const KEPT = 2

/**
 * An address that is silent as that of a machine without power: nothing refuses a connect and nothing accepts it. It is
 * a real listener, whose queue of connections is full; it is gone when the test ends.
 */
export async function blackHole(
  { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
  onFinished: (end: () => Promise<void>) => void = onTestFinished,
): Promise<{ host: string; port: number; address: string }> {
  const ended = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(LISTENER, { eval: true, workerData: { host, port, ended } })
  const kept: Socket[] = []
  onFinished(async () => {
    const exited = once(worker, 'exit')
    Atomics.store(ended, 0, 1)
    Atomics.notify(ended, 0)
    for (const socket of kept) socket.destroy()
    await exited
  })
  const [bound] = (await once(worker, 'message')) as [number]
  for (let i = 0; i < KEPT; i++) {
    const socket = connect({ host, port: bound })
    socket.on('error', () => undefined)
    kept.push(socket)
    await once(socket, 'connect')
  }
  return { host, port: bound, address: `${host}:${bound}` }
}
