import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { BrokerConnection } from '../../../../src/network/connection/broker-connection.js'
import { heartbeat } from '../../../../src/protocol/apis/heartbeat.js'
import { encodeResponseFrame } from '../../../../src/protocol/frame.js'
import { Observers } from '../../../../src/stats/observer.js'
import { turns } from '../../../embedded/support/producers.js'

const REQUEST = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }

/** A connection on a stream of the test's, which takes all that is written and is never done with it. */
function onStream(stream = new Duplex({ read: () => undefined, write: () => undefined }), maxIdleMs = 60_000) {
  const observers = new Observers()
  const told: string[] = []
  observers.add({ event: ({ type }) => told.push(type) })
  const terms = { clientId: 'test', maxResponseBytes: 10_000, maxIdleMs, observers }
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
  const { connection } = onStream(undefined, 30)
  const closed = new Promise<void>((resolve) => connection.onClose(resolve))
  let done = (): void => undefined
  const used = connection.whileUsed(new Promise<void>((resolve) => (done = resolve)))
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(connection.isOpen).toBe(true)
  done()
  await used
  await closed
})
