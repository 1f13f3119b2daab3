import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { reset } from './reset.js'

async function connected(): Promise<{ socket: Socket; peer: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined)
  await once(socket, 'connect')
  const [peer] = await accepted
  peer.on('error', () => undefined).resume()
  onTestFinished(() => {
    peer.destroy()
    server.close()
  })
  return { socket, peer }
}

it('a socket is reset', async () => {
  const { socket, peer } = await connected()
  const error = new Promise((resolve) => peer.once('error', resolve))
  reset(socket)
  expect(await error).toMatchObject({ code: 'ECONNRESET' })
})

it('one whose FIN is on its way gives its handle back', async () => {
  const { socket } = await connected()
  const closed = once(socket, 'close')
  socket.end()
  reset(socket)
  await closed
})
