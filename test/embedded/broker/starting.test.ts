import { describe, expect, it } from 'vitest'
import { SYSTEM } from '../../../src/surroundings.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'
import { listenOnSockets, type Listen } from '../../../src/testing/listener.js'

/** A cluster of two brokers of which one is stopped, with the ports that it has open. */
async function startCounted(): Promise<{ kafka: EmbeddedKafka; open: Set<number> }> {
  const open = new Set<number>()
  const listen: Listen = async (host, port, acceptor) => {
    const listener = await listenOnSockets(undefined)(host, port, acceptor)
    open.add(listener.port)
    return {
      port: listener.port,
      async close() {
        await listener.close()
        open.delete(listener.port)
      },
    }
  }
  const kafka = await EmbeddedKafka.start({ brokers: 2 }, { ...SYSTEM, listen })
  await kafka.stopBroker(2)
  return { kafka, open }
}

describe('a broker that is about to listen', () => {
  it('is started once', async () => {
    const { kafka, open } = await startCounted()
    const started = kafka.startBroker(2, { port: 'new' })
    await expect(kafka.startBroker(2, { port: 'new' })).rejects.toMatchObject({
      code: 'WRONG_STATE',
      message: 'broker 2 is being started already',
    })
    await started
    expect(open).toEqual(new Set(kafka.brokers.map(({ port }) => port)))
    await kafka.stop()
    expect([...open]).toEqual([])
  })

  it('stays what it is where an upgrade is refused meanwhile', async () => {
    const { kafka } = await startCounted()
    const [, before] = kafka.brokers
    const started = kafka.startBroker(2)
    await expect(kafka.upgradeBroker(2, '2.8')).rejects.toMatchObject({ code: 'WRONG_STATE' })
    await started
    expect(kafka.brokers[1]).toEqual({ ...before, state: 'running' })
    await kafka.stop()
  })

  it('can be started again where it could not', async () => {
    const { kafka } = await startCounted()
    const [taken = 0] = kafka.brokers.map(({ port }) => port)
    await expect(kafka.startBroker(2, { port: taken })).rejects.toMatchObject({ code: 'CANNOT_LISTEN' })
    await kafka.startBroker(2)
    expect(kafka.brokers.map(({ state }) => state)).toEqual(['running', 'running'])
    await kafka.stop()
  })

  it('keeps no port where it is removed meanwhile', async () => {
    const { kafka, open } = await startCounted()
    const started = kafka.startBroker(2)
    const removed = kafka.removeBroker(2)
    await expect(started).rejects.toMatchObject({ code: 'UNKNOWN_BROKER' })
    await removed
    expect(open.size).toBe(1)
    await kafka.stop()
    expect([...open]).toEqual([])
  })

  it('keeps no port where it is being added, and another one gets its id', async () => {
    const { kafka, open } = await startCounted()
    const added = kafka.addBroker({ id: 3 })
    await kafka.removeBroker(3)
    const another = kafka.addBroker({ id: 3 })
    await expect(added).rejects.toMatchObject({ code: 'UNKNOWN_BROKER' })
    expect(await another).toBe(3)
    expect(kafka.brokers.map(({ id, state }) => [id, state])).toEqual([
      [1, 'running'],
      [2, 'stopped'],
      [3, 'running'],
    ])
    await kafka.stop()
    expect([...open]).toEqual([])
  })

  it('is not started any more once it is being removed', async () => {
    const { kafka, open } = await startCounted()
    const removed = kafka.removeBroker(1)
    await expect(kafka.startBroker(1)).rejects.toMatchObject({ code: 'UNKNOWN_BROKER' })
    await removed
    expect([...open]).toEqual([])
    await kafka.stop()
  })
})
