import type { LookupAddress } from 'node:dns'
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ProducerOptions } from '../../../src/index.js'
import { blackHole } from '../support/black-hole.js'
import {
  deadAddress,
  deliveryErrorOf,
  errorOf,
  plainServer,
  portOf,
  startProducer,
  until,
} from '../support/producers.js'
import { ScriptedBroker, topicMetadata } from '../support/scripted-broker.js'

/* Which addresses are connected to, how many at once, and what those cost that are silent. */

/** Accepts connections to any address of this machine, and never says a word. */
async function silentMachine(): Promise<{
  port: number
  open: Set<Socket>
  hosts: Set<string>
}> {
  const open = new Set<Socket>()
  const hosts = new Set<string>()
  const server = createServer((socket) => {
    open.add(socket)
    hosts.add(socket.localAddress ?? '')
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  onTestFinished(async () => {
    for (const socket of open) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, open, hosts }
}

/** A broker whose metadata names others, each the leader of the partition that has its place in the list. */
async function brokerThatNames(others: readonly { host: string; port: number }[]): Promise<ScriptedBroker> {
  return ScriptedBroker.start({
    onMetadata: ({ request }, good) => ({
      ...good,
      brokers: [...good.brokers, ...others.map((address, i) => ({ nodeId: i + 2, ...address, rack: null }))],
      topics: (request.topics ?? []).map(({ name }) => {
        const topic = topicMetadata(name ?? '', Math.max(1, others.length))
        if (name !== 'led-by-others') return topic
        const partitions = topic.partitions.map((partition, i) => ({ ...partition, leaderId: i + 2 }))
        return { ...topic, partitions }
      }),
    }),
  })
}

describe('brokers that are silent', () => {
  it('cost a question a moment each, however long a request may take', async () => {
    const machine = await silentMachine()
    const silent = Array.from({ length: 30 }, (_, i) => ({ host: `127.0.0.${i + 2}`, port: machine.port }))
    let isThere = true
    const broker = await ScriptedBroker.start({
      onMetadata: (_, good) =>
        isThere
          ? { ...good, brokers: [...good.brokers, ...silent.map((one, i) => ({ nodeId: i + 2, ...one, rack: null }))] }
          : 'hang up',
    })
    const producer = startProducer(broker.address, { requestTimeoutMs: 600_000 })
    await producer.send({ topic: 'first', value: 'x' })
    isThere = false
    const sending = producer.send({ topic: 'second', value: 'x' })
    await until(() => broker.asked.length === 2, 'the broker has hung up on the question')
    isThere = true
    await sending
    // The bootstrap list is asked in turn with the brokers that are known, not after all of them.
    expect(machine.hosts.size).toBeLessThan(silent.length)
  })

  it('as bootstrap addresses have the next one tried a second later, not when their time is up', async () => {
    const holes = [await blackHole(), await blackHole()]
    const broker = await ScriptedBroker.start()
    const brokers = [...holes.map(({ address }) => address), broker.address].join()
    const producer = startProducer(brokers, { connectTimeoutMs: 600_000, requestTimeoutMs: 600_000 })
    await producer.send({ topic: 'orders', value: 'x' })
    // The metadata has a connection that is used again.
    expect(broker.openConnections).toBe(2)
  })

  it('have each their turn to be connected to, however many they are', async () => {
    const machine = await silentMachine()
    const count = 100
    const others = Array.from({ length: count }, (_, i) => ({ host: `127.0.0.${i + 2}`, port: machine.port }))
    const broker = await brokerThatNames(others)
    const producer = startProducer(broker.address, { requestTimeoutMs: 600_000, deliveryTimeoutMs: 600_000 })
    for (let partition = 0; partition < count; partition++)
      producer.send({ topic: 'led-by-others', partition, value: 'x' }).catch(() => undefined)
    await until(() => machine.open.size >= 32, 'as many as may be are begun')
    // What any broker can answer does not wait in that line.
    await producer.partitionsFor('another')
    const hangUp = () => {
      for (const socket of machine.open) socket.destroy()
      return machine.hosts.size === count
    }
    await until(hangUp, 'each has its turn', 60_000)
  })

  it('keep no other from being connected to for as long as they may take', async () => {
    const machine = await silentMachine()
    const count = 40
    const silent = Array.from({ length: count }, (_, i) => ({ host: `127.0.0.${i + 2}`, port: machine.port }))
    const leader = await ScriptedBroker.start()
    const broker = await brokerThatNames([...silent, { host: '127.0.0.1', port: leader.port }])
    const producer = startProducer(broker.address, { requestTimeoutMs: 600_000, deliveryTimeoutMs: 15_000 })
    for (let partition = 0; partition < count; partition++)
      producer.send({ topic: 'led-by-others', partition, value: 'x' }).catch(() => undefined)
    await until(() => machine.open.size >= 32, 'as many as may be are begun')
    await producer.send({ topic: 'led-by-others', partition: count, value: 'x' })
    expect(leader.values).toEqual([['x']])
  })
})

describe('a name that has several addresses', () => {
  /** Looks all names up as these addresses, in this order; they have one port, on which the others do not answer. */
  async function nameOf(...hosts: string[]): Promise<string> {
    const original = dns.lookup
    const found: LookupAddress[] = hosts.map((address) => ({ address, family: 4 }))
    dns.lookup = (async () => found) as unknown as typeof dns.lookup
    syncBuiltinESMExports()
    onTestFinished(() => {
      dns.lookup = original
      syncBuiltinESMExports()
    })
    const broker = await ScriptedBroker.start()
    return `kafka.test:${broker.port}`
  }

  it.each<[string, (socket: Socket) => void]>([
    ['is silent', () => undefined],
    ['hangs up', (socket) => socket.end()],
  ])('is asked at the next one where the first accepts and %s', async (_, behave) => {
    const brokers = await nameOf('127.0.0.2', '127.0.0.1')
    const wrong = createServer((socket) => behave(socket.on('error', () => undefined).resume()))
    await new Promise<void>((resolve) => wrong.listen(portOf(brokers), '127.0.0.2', resolve))
    onTestFinished(() => void wrong.close())
    const producer = startProducer(brokers, { requestTimeoutMs: 500, deliveryTimeoutMs: 5_000 })
    await producer.send({ topic: 'orders', value: 'x' })
  })
})

describe('allowBroker', () => {
  const metadataService = '127.0.0.254'

  async function sendTo(allowBroker: ProducerOptions['allowBroker']) {
    const machine = await silentMachine()
    const broker = await brokerThatNames([{ host: metadataService, port: machine.port }])
    const producer = startProducer(broker.address, { allowBroker, retries: 0, connectTimeoutMs: 200 })
    const error = await deliveryErrorOf(producer.send({ topic: 'led-by-others', value: 'x' }))
    return { error, machine, broker, producer }
  }

  it.each<[string, ProducerOptions['allowBroker']]>([
    ['says no', (host) => host !== metadataService],
    ['says no later', async (host) => Promise.resolve(host !== metadataService)],
    ['says neither yes nor no', () => 'yes' as unknown as boolean],
    [
      'throws',
      () => {
        throw new Error('no list')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no list'))],
    ['never answers', () => new Promise(() => undefined)],
  ])('an address that it %s for is not connected to, which the error tells', async (_, allowBroker) => {
    const { error, machine } = await sendTo(allowBroker)
    expect(error).toMatchObject({ code: 'BROKER_NOT_ALLOWED', retriable: true, mayHaveBeenWritten: false })
    expect(error.message).toContain(`${metadataService}:${machine.port}`)
    expect(error.message).toContain('allowBroker')
    expect(machine.hosts).toEqual(new Set())
  })

  it('is asked with the host and the port of what the cluster names, not of the bootstrap list', async () => {
    const asked: [string, number][] = []
    const { machine, producer } = await sendTo((host, port) => {
      asked.push([host, port])
      return false
    })
    await producer.send({ topic: 'led-by-the-first', value: 'x' })
    expect(new Set(asked.map(String))).toEqual(new Set([`${metadataService},${machine.port}`]))
  })

  it('lets through what it says yes for', async () => {
    const leader = await ScriptedBroker.start()
    const broker = await brokerThatNames([{ host: '127.0.0.1', port: leader.port }])
    const producer = startProducer(broker.address, { allowBroker: () => true })
    await producer.send({ topic: 'led-by-others', value: 'x' })
    expect(leader.values).toEqual([['x']])
  })

  it('must be a function', () => {
    expect(() => startProducer('localhost', { allowBroker: ['kafka-1'] as unknown as () => boolean })).toThrow(
      /allowBroker: given was .*, allowed is a function/,
    )
  })
})

describe('an error of connecting says', () => {
  it('that the address came from the cluster, where it did', async () => {
    const dead = await deadAddress()
    const broker = await brokerThatNames([{ host: '127.0.0.1', port: portOf(dead) }])
    const producer = startProducer(broker.address, { retries: 0 })
    const { message } = await deliveryErrorOf(producer.send({ topic: 'led-by-others', value: 'x' }))
    expect(message).toContain(dead)
    expect(message).toContain('advertised.listeners')
  })

  it('nothing of the kind of an address that was given', async () => {
    const dead = await deadAddress()
    const { message } = await errorOf(startProducer(dead, { deliveryTimeoutMs: 300 }).partitionsFor('orders'))
    expect(message).toContain(dead)
    expect(message).not.toContain('advertised.listeners')
  })
})

describe('an error of a deadline says what was waited for, of whom and since when', () => {
  it.each(['connecting', 'answering'])('a bootstrap address that is silent when %s', async (moment) => {
    const { address } = moment === 'connecting' ? await blackHole() : await plainServer(() => undefined)
    const producer = startProducer(address, { deliveryTimeoutMs: 500, requestTimeoutMs: 60_000 })
    const { message } = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    const stage = moment === 'connecting' ? `connecting to ${address}` : `waiting for ${address} to answer ApiVersions`
    expect(message).toMatch(new RegExp(`${stage} for \\d+ ms`))
  })

  it('a leader that is silent when it is connected to', async () => {
    const { address } = await plainServer(() => undefined)
    const broker = await brokerThatNames([{ host: '127.0.0.1', port: portOf(address) }])
    const producer = startProducer(broker.address, { deliveryTimeoutMs: 500, requestTimeoutMs: 60_000 })
    const { message } = await deliveryErrorOf(producer.send({ topic: 'led-by-others', value: 'x' }))
    expect(message).toMatch(new RegExp(`waiting for ${address} to answer ApiVersions for \\d+ ms \\(broker 2\\)`))
  })

  it('a broker that does not answer Metadata', async () => {
    const broker = await ScriptedBroker.start({ onMetadata: () => 'silence' })
    const producer = startProducer(broker.address, { deliveryTimeoutMs: 500, requestTimeoutMs: 60_000 })
    const { message } = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(message).toMatch(new RegExp(`waiting for ${broker.address} to answer for \\d+ ms`))
  })
})
