import { connect, type Socket } from 'node:net'

/** Connects to the first broker; calls `onAnswer` for each response that has come in whole, whatever it says. */
export async function connectRaw(bootstrap: string, onAnswer: () => void): Promise<Socket> {
  const [host = '', port] = (bootstrap.split(',')[0] ?? '').split(':')
  const socket = connect({ host, port: Number(port), noDelay: true })
  await new Promise((resolve) => socket.once('connect', resolve))
  let buffered = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      buffered = buffered.subarray(4 + buffered.readInt32BE(0))
      onAnswer()
    }
  })
  return socket
}
