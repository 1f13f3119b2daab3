import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { plainServer, portOf, startProducer, stored, until } from '../support/producers.js'

const topics = { orders: {} }

/** A network before a broker that can lose connections without a word to either end: what is sent on them goes nowhere. */
async function silentNetwork(kafka: EmbeddedKafka) {
  const open: [Socket, Socket][] = []
  const { address } = await plainServer((socket) => {
    const broker = connect({ host: '127.0.0.1', port: portOf(kafka.bootstrap) })
    open.push([socket, broker])
    broker.on('error', () => undefined)
    broker.on('close', () => socket.destroy())
    socket.on('close', () => broker.destroy())
    socket.pipe(broker).pipe(socket)
  })
  const lose = () => {
    for (const [socket, broker] of open.splice(0)) {
      socket.unpipe(broker)
      broker.unpipe(socket)
      socket.resume()
      broker.resume()
    }
  }
  return { port: portOf(address), lose }
}

describe('a connection that has lost its other end without a word', () => {
  it('is found by the first request on it, and the message goes over another one', async () => {
    const kafka = await startKafka({ topics })
    const network = await silentNetwork(kafka)
    const producer = startProducer(kafka, {
      requestTimeoutMs: 200,
      createConnection: () => connect({ host: '127.0.0.1', port: network.port }),
    })
    await producer.send({ topic: 'orders', value: 'before' })
    network.lose()
    await producer.send({ topic: 'orders', value: 'after' })
    expect(stored(kafka, 'orders')).toEqual(['before', 'after'])
    expect(producer.stats().resends).toBe(1)
  })

  it('while it is idle is gone before anything is sent on it, after connectionsMaxIdleMs', async () => {
    const kafka = await startKafka({ topics })
    const network = await silentNetwork(kafka)
    const sockets: Socket[] = []
    const producer = startProducer(kafka, {
      connectionsMaxIdleMs: 50,
      createConnection: () => {
        const socket = connect({ host: '127.0.0.1', port: network.port })
        sockets.push(socket)
        return socket
      },
    })
    await producer.send({ topic: 'orders', value: 'before' })
    network.lose()
    await until(() => sockets.every(({ destroyed }) => destroyed), 'all are closed for being idle')
    await producer.send({ topic: 'orders', value: 'after' })
    expect(stored(kafka, 'orders')).toEqual(['before', 'after'])
    expect(producer.stats().resends).toBe(0)
  })
})
