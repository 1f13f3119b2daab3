/** One question on a connection of its own, and everything that the broker does with it. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Long enough for a broker that answers at all. */
export const silenceMs = 3000

export interface Outcome {
  readonly did: 'answered' | 'hung up' | 'stayed silent'
  /** Hexadecimal, size included. */
  readonly request: string
  readonly response?: string
  /** What became of one more request on the same connection. */
  readonly then?: Outcome['did']
}

export async function ask(port: number, question: Buffer, next?: Buffer): Promise<Outcome> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  try {
    const request = question.toString('hex')
    socket.write(question)
    const first = await answer(socket)
    if (typeof first === 'string') {
      return {
        did: first,
        request,
        ...(first === 'hung up' || next === undefined ? {} : { then: await askNext(socket, next) }),
      }
    }
    return {
      did: 'answered',
      request,
      response: first.toString('hex'),
      ...(next === undefined ? {} : { then: await askNext(socket, next) }),
    }
  } finally {
    socket.destroy()
  }
}

async function askNext(socket: Socket, next: Buffer): Promise<Outcome['did']> {
  socket.write(next)
  const second = await answer(socket)
  return typeof second === 'string' ? second : 'answered'
}

async function answer(socket: Socket): Promise<Buffer | 'hung up' | 'stayed silent'> {
  let received = Buffer.alloc(0)
  const over = new AbortController()
  const outcome = new Promise<Buffer | 'hung up'>((resolve) => {
    const listeners = { signal: over.signal }
    const on = (event: string, listener: (chunk: Buffer) => void): void => {
      socket.on(event, listener)
      listeners.signal.addEventListener('abort', () => socket.off(event, listener))
    }
    on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE()) resolve(received)
    })
    for (const event of ['end', 'close'])
      on(event, () => {
        resolve('hung up')
      })
  })
  try {
    return await Promise.race([outcome, delay(silenceMs, 'stayed silent' as const, { signal: over.signal })])
  } finally {
    over.abort()
  }
}
