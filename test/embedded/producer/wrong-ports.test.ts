import { createServer, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { encodeResponseFrame } from '../../../src/protocol/frame.js'
import { HostileServer } from '../support/hostile-servers.js'
import { deliveryErrorOf, plainServer, startProducer } from '../support/producers.js'

/** What such servers say: some at once, others to what they do not understand. */
const SERVERS: [name: string, says: string, when: 'at once' | 'when asked'][] = [
  ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n', 'at once'],
  ['SMTP or FTP', '220 mail.example.com ESMTP Postfix\r\n', 'at once'],
  ['SMTP or FTP', '220-FTP server ready\r\n', 'at once'],
  ['IMAP', '* OK [CAPABILITY IMAP4rev1] ready\r\n', 'at once'],
  ['POP3', '+OK ready\r\n', 'at once'],
  ['MySQL', 'J\0\0\0\n8.0.36\0', 'at once'],
  ['MySQL', 'F\0\0\0\xffj\x04Host is blocked', 'at once'],
  ['NATS', 'INFO {"server_id":"N"}\r\n', 'at once'],
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', 'when asked'],
  ['Redis', '-ERR unknown command\r\n', 'when asked'],
  ['Redis', '-NOAUTH Authentication required.\r\n', 'when asked'],
  ['AMQP', 'AMQP\0\0\x09\x01', 'when asked'],
  ['PostgreSQL', 'E\0\0\0\x8dSFATAL\0VFATAL\0C0A000\0', 'when asked'],
  ['Memcached', 'ERROR\r\n', 'when asked'],
]

it.each(SERVERS)(
  'a port where somebody answers in %s (%j, %s) is named, and not tried again',
  async (name, says, when) => {
    const greet = (socket: Socket) => void socket.end(Buffer.from(says, 'latin1'))
    const server = await plainServer((socket) => {
      if (when === 'at once') greet(socket)
      else socket.once('data', () => greet(socket))
    })
    const error = await deliveryErrorOf(startProducer(server.address).send({ topic: 't', value: 'x' }))
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: false })
    expect(error.message).toContain(`${server.address} answers in ${name}: that is no Kafka broker`)
  },
)

it('ZooKeeper’s port is named where it answers no question', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.end())
  })
  // All of 127.0.0.0/8 is this machine: another's ZooKeeper is not in the way.
  const host = '127.21.81.1'
  await new Promise<void>((resolve) => server.listen(2181, host, resolve))
  onTestFinished(() => void server.close())
  const producer = startProducer(`${host}:2181`, { deliveryTimeoutMs: 2_000 })
  const error = await deliveryErrorOf(producer.send({ topic: 't', value: 'x' }))
  expect(error.message).toContain('port 2181 is ZooKeeper’s: give that of a broker')
  expect(error.message).not.toContain('TLS')
})

it('a controller, which serves no producers, is named with its address, and not tried again', async () => {
  const controller = await HostileServer.start(({ socket, apiKey, correlationId }) => {
    if (apiKey !== apiVersions.key) return void socket.destroy()
    socket.write(
      encodeResponseFrame(apiVersions, 3, correlationId, {
        errorCode: 0,
        apiKeys: [1, 18, 52, 53, 62, 63].map((key) => ({ apiKey: key, minVersion: 0, maxVersion: 3 })),
        throttleTimeMs: 0,
        supportedFeatures: [],
        finalizedFeaturesEpoch: -1n,
        finalizedFeatures: [],
        zkMigrationReady: false,
      }),
    )
  })
  onTestFinished(() => controller.stop())
  const error = await deliveryErrorOf(startProducer(controller.address).send({ topic: 't', value: 'x' }))
  expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION', retriable: false })
  expect(error.message).toContain(`${controller.address} serves neither Metadata nor Produce: it is a controller`)
})
