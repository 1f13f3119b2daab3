import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { systemClock, type Clock } from '../../../../src/clock.js'
import { BrokerConnection } from '../../../../src/network/connection/broker-connection.js'
import { heartbeat } from '../../../../src/protocol/apis/heartbeat.js'
import { encodeResponseFrame } from '../../../../src/protocol/frame.js'
import { Observers } from '../../../../src/stats/observer.js'
import { turns } from '../../../embedded/support/producers.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'

const REQUEST = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }

/** A connection on a stream of the test's, which takes all that is written and is never done with it. */
function onStream(stream = new Duplex({ read: () => undefined, write: () => undefined }), clock: Clock = systemClock) {
  const observers = new Observers()
  const told: string[] = []
  observers.add({ event: ({ type }) => told.push(type) })
  const terms = { clientId: 'test', maxResponseBytes: 10_000, maxIdleMs: 60_000, observers, clock }
  return { stream, told, connection: new BrokerConnection(stream, { host: 'h', port: 1 }, terms) }
}

it('an answer that comes when the connection is ending is passed over, and an end then is none by the broker', async () => {
  const { stream, connection } = onStream()
  const asked = connection.request(heartbeat, 0, REQUEST, { timeoutMs: 10_000 })
  const closing = connection.close(60_000)
  await expect(asked).rejects.toThrow('was closed by this client')
  stream.push(encodeResponseFrame(heartbeat, 0, 0, { throttleTimeMs: 0, errorCode: 0 }))
  await turns(3)
  expect(connection.isDestroyed).toBe(false)
  stream.push(null)
  await closing
  expect(connection.wasHungUpOn).toBe(false)
})

it('a stream that had ended before is none that could be written to, which is told once it counts as opened', async () => {
  const stream = new Duplex({ read: () => undefined, write: () => undefined })
  stream.destroy()
  await once(stream, 'close')
  const { connection, told } = onStream(stream)
  expect([connection.isOpen, told]).toEqual([false, []])
  connection.opened()
  expect(told).toEqual(['disconnected'])
})

it('a connection that work goes on for is not idle, and is when that is done', async () => {
  const time = new VirtualClock()
  const { connection } = onStream(undefined, time.for('test'))
  let done = (): void => undefined
  const used = connection.whileUsed(new Promise<void>((resolve) => (done = resolve)))
  while (connection.isOpen && time.now < 200_000 && time.step());
  expect(connection.isOpen).toBe(true)
  done()
  await used
  while (connection.isOpen && time.step());
  expect(connection.isOpen).toBe(false)
  expect(time.now).toBeLessThan(300_000)
})
