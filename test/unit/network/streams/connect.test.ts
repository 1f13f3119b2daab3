import type { LookupAddress } from 'node:dns'
import dns from 'node:dns/promises'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { createConnection, createServer, Socket, type AddressInfo, type TcpNetConnectOpts } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { openSocket, type ConnectTerms } from '../../../../src/network/streams/connect.js'
import { HostLookup } from '../../../../src/network/streams/host-lookup.js'
import { blackHole } from '../../../embedded/support/black-hole.js'
import { deadAddress, errorOf, portOf, turns } from '../../../embedded/support/producers.js'
import { SocketWatch } from '../../../kafka/support/sockets.js'

const NEVER = new AbortController().signal

function terms(more: Partial<ConnectTerms> = {}): ConnectTerms {
  return {
    timeoutMs: 600_000,
    signal: NEVER,
    isNeeded: () => true,
    hosts: new HostLookup(),
    clock: systemClock,
    ...more,
  }
}

const openTcp = (...given: Parameters<typeof openSocket>) => openSocket(...given) as Promise<Socket>

/** A name service that knows one name. */
function named(...addresses: string[]): ConnectTerms['hosts'] {
  return { addressesOf: () => Promise.resolve(addresses) }
}

const silentNames: ConnectTerms['hosts'] = { addressesOf: () => new Promise<string[]>(() => undefined) }

async function listen(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

/** Plays the system's name service with look-ups that settle when the test says so. */
function playLookup(): { asked: string[]; settle: (outcome: LookupAddress[] | Error) => void } {
  const asked: string[] = []
  const open: ((outcome: LookupAddress[] | Error) => void)[] = []
  const original = dns.lookup
  dns.lookup = ((host: string) => {
    asked.push(host)
    return new Promise<LookupAddress[]>((resolve, reject) => {
      open.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)))
    })
  }) as unknown as typeof dns.lookup
  syncBuiltinESMExports()
  onTestFinished(() => {
    dns.lookup = original
    syncBuiltinESMExports()
  })
  return { asked, settle: (outcome) => open.splice(0).forEach((settle) => settle(outcome)) }
}

it('what was accepted while this process stood still for longer than it may take is no time-out', async () => {
  const port = await listen()
  const connect = (to: TcpNetConnectOpts) => {
    const socket = createConnection(to)
    // The system has been asked by then, and answers meanwhile.
    process.nextTick(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500))
    return socket
  }
  const socket = await openTcp({ host: '127.0.0.1', port }, terms({ timeoutMs: 200, connect }))
  socket.destroy()
})

it('what is written goes at once, and does not wait for answers to what went before', async () => {
  const noDelay = vi.spyOn(Socket.prototype, 'setNoDelay')
  onTestFinished(() => noDelay.mockRestore())
  const socket = await openTcp({ host: 'localhost', port: await listen() }, terms({ hosts: named('127.0.0.1') }))
  onTestFinished(() => void socket.destroy())
  expect(noDelay.mock.calls).toEqual([[true]])
  expect(noDelay.mock.contexts).toEqual([socket])
})

it('the system looks after a connection that is silent for a minute, so that one that is lost is found', async () => {
  const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive')
  onTestFinished(() => keepAlive.mockRestore())
  const socket = await openTcp({ host: 'localhost', port: await listen() }, terms({ hosts: named('127.0.0.1') }))
  onTestFinished(() => void socket.destroy())
  expect(keepAlive.mock.calls).toEqual([[true, 60_000]])
  expect(keepAlive.mock.contexts).toEqual([socket])
})

describe('openSocket', () => {
  it('tries every address that a name has', async () => {
    // 'localhost' may come first as ::1, where nobody listens.
    const socket = await openTcp({ host: 'localhost', port: await listen() }, terms())
    socket.destroy()
  })

  it.each([
    ['refuses', { host: '127.0.0.1', port: 1 }],
    ['has no such name', { host: 'no-such-host.invalid', port: 9092 }],
  ])('fails where the other side %s, with the cause', async (_, address) => {
    const error = await errorOf(openSocket(address, terms()))
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: true })
    expect(error.message).toContain(`${address.host}:${address.port}`)
    expect(error.cause).toBeInstanceOf(Error)
  })

  it.each([-1, 0, 65_536, 2 ** 31 - 1])('says that there is no port %d, with TLS as without', async (port) => {
    const tls = { options: {}, mayChange: false, keep: () => undefined, forget: () => undefined }
    for (const how of [{}, { tls }]) {
      const error = await errorOf(openSocket({ host: '127.0.0.1', port }, terms({ ...how, origin: ' (told)' })))
      expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: true })
      expect(error.message).toBe(`can't connect to 127.0.0.1:${port} (told): there is no port ${port}`)
    }
  })

  it('goes on to the next address at once where one refuses', async () => {
    const port = await listen()
    const socket = await openTcp(
      { host: 'several.test', port },
      terms({ hosts: named('127.0.0.2', '127.0.0.3', '127.0.0.1') }),
    )
    expect(socket.remoteAddress).toBe('127.0.0.1')
    socket.destroy()
  })

  it('goes on to the next address beside one that is silent, and leaves nothing of that behind', async () => {
    using watch = new SocketWatch()
    const { port } = await blackHole({ host: '127.0.0.2' })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
    const before = watch.sockets.length
    const socket = await openTcp({ host: 'several.test', port }, terms({ hosts: named('127.0.0.2', '127.0.0.1') }))
    expect(socket.remoteAddress).toBe('127.0.0.1')
    await turns()
    expect(watch.sockets.slice(before).map((one) => [one === socket, one.closed])).toEqual([
      [false, true],
      [true, false],
    ])
    socket.destroy()
  })

  it('gives every address of a name its turn, however short the time is', async () => {
    const { port } = await blackHole({ host: '127.0.0.2' })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
    const socket = await openTcp(
      { host: 'several.test', port },
      terms({ timeoutMs: 900, hosts: named('127.0.0.2', '127.0.0.1') }),
    )
    socket.destroy()
  })

  it('fails in its time where the only address is silent', async () => {
    const { host, port } = await blackHole()
    const error = await errorOf(openSocket({ host, port }, terms({ timeoutMs: 50 })))
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: true })
    expect(error.message).toMatch(/did not accept within \d+ ms/)
  })

  it('fails in its time where every address of a name is silent', async () => {
    const { port } = await blackHole({ host: '0.0.0.0' })
    const hosts = named('127.0.0.1', '127.0.0.2', '127.0.0.3')
    const error = await errorOf(openSocket({ host: 'several.test', port }, terms({ timeoutMs: 90, hosts })))
    expect(error.message).toContain('did not accept')
  })

  it('fails in its time where the name service is silent', async () => {
    const error = await errorOf(
      openSocket({ host: 'silent.test', port: 9092 }, terms({ timeoutMs: 50, hosts: silentNames })),
    )
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: true })
    expect(error.message).toContain('its name was not resolved within 50 ms')
  })

  it.each([
    ['before it begins', true],
    ['while the name service is silent', false],
  ])('gives up when it is told to, %s', async (_, before) => {
    const controller = new AbortController()
    if (before) controller.abort()
    const opening = openSocket(
      { host: 'silent.test', port: 1 },
      terms({ signal: controller.signal, hosts: silentNames }),
    )
    controller.abort()
    expect((await errorOf(opening)).code).toBe('CONNECTION_FAILED')
  })

  it('gives up when it is told to, while an address is silent', async () => {
    const { host, port } = await blackHole()
    using watch = new SocketWatch()
    const controller = new AbortController()
    const opening = openSocket({ host, port }, terms({ signal: controller.signal }))
    await turns()
    controller.abort()
    expect((await errorOf(opening)).code).toBe('CONNECTION_FAILED')
    await watch.until(() => watch.sockets.length === 1 && watch.closed === 1)
  })

  it('gives up where nobody waits for it any more', async () => {
    const { host, port } = await blackHole()
    let isNeeded = true
    const opening = openSocket({ host, port }, terms({ isNeeded: () => isNeeded }))
    isNeeded = false
    expect((await errorOf(opening)).message).toContain('nobody waits for it any more')
  })
})

describe('the look-up of a name', () => {
  it('is not begun for what was called off before', async () => {
    const { asked } = playLookup()
    const signal = AbortSignal.abort()
    const error = await errorOf(openSocket({ host: 'late.test', port: 9092 }, terms({ signal })))
    await turns()
    expect([error.message, asked]).toEqual(["can't connect to late.test:9092: closed by this client", []])
  })

  it('that fails when nobody waits for it any more is no unhandled rejection', async () => {
    const { settle } = playLookup()
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    await errorOf(openSocket({ host: 'slow.test', port: 9092 }, terms({ timeoutMs: 20 })))
    settle(new Error('EAI_AGAIN'))
    await turns()
    process.off('unhandledRejection', onUnhandled)
    expect(unhandled).toEqual([])
  })

  it('is made once for all who ask before it is answered, and anew for those after', async () => {
    const { asked, settle } = playLookup()
    const hosts = new HostLookup()
    const port = portOf(await deadAddress())
    await errorOf(openSocket({ host: 'slow.test', port }, terms({ timeoutMs: 20, hosts })))
    const second = openSocket({ host: 'slow.test', port: await listen() }, terms({ hosts }))
    expect(asked).toEqual(['slow.test'])
    settle([{ address: '127.0.0.1', family: 4 }])
    const socket = await second
    socket.destroy()
    await once(socket, 'close')
    const third = errorOf(openSocket({ host: 'slow.test', port }, terms({ hosts })))
    await turns()
    settle(new Error('ENOTFOUND'))
    expect((await third).message).toContain('ENOTFOUND')
    expect(asked).toEqual(['slow.test', 'slow.test'])
  })

  it('is one of two at a time, however many names are asked for; and is dropped where nobody waits any more', async () => {
    const { asked, settle } = playLookup()
    const hosts = new HostLookup()
    const gone = new AbortController()
    const all = ['a', 'b', 'c', 'd'].map((host) => hosts.addressesOf(host, host === 'c' ? gone.signal : NEVER))
    const third = errorOf(all[2] as Promise<unknown>)
    await turns()
    expect(asked).toEqual(['a', 'b'])
    gone.abort(new Error('no more'))
    expect((await third).message).toBe('no more')
    settle([{ address: '127.0.0.1', family: 4 }])
    await turns()
    expect(asked).toEqual(['a', 'b', 'd'])
    settle([{ address: '127.0.0.2', family: 4 }])
    expect(await Promise.all([all[0], all[1], all[3]])).toEqual([['127.0.0.1'], ['127.0.0.1'], ['127.0.0.2']])
  })
})
