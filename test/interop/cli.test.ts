import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { VERSION } from '../../src/version.js'
import { kcat } from './support/kcat.js'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TSX = fileURLToPath(import.meta.resolve('tsx'))

interface Running {
  readonly child: ChildProcess
  /** What it has printed so far. */
  output: string
  readonly ended: Promise<number | null>
  /** Resolves with the match once it was printed. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, ['--import', TSX, MAIN, ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const running: Running = {
    child,
    output: '',
    ended,
    async printed(pattern) {
      for (;;) {
        const match = pattern.exec(this.output)
        if (match !== null) return match
        const more = [child.stdout, child.stderr].map(async (stream) => once(stream, 'data').then(() => false))
        const over = await Promise.race([...more, ended.then(() => true)])
        if (over) throw new Error(`it ended without printing ${pattern}: ${this.output}`)
      }
    },
  }
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (running.output += text))
  return running
}

describe('kafka-producer broker', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('serves kcat until %s', async (signal) => {
    const broker = start(
      'broker',
      '--port',
      '0',
      '--brokers',
      '3',
      '--release',
      '3.9',
      '--topic',
      'orders:6',
      '--topic',
      'logs',
    )
    const [, bootstrap = ''] = await broker.printed(/^Kafka 3\.9 is ready at (.+)$/m)
    expect(bootstrap.split(',')).toHaveLength(3)
    const { stdout } = await kcat('3.9', ['-L', '-b', bootstrap])
    expect(stdout).toContain('topic "orders" with 6 partitions')
    expect(stdout).toContain('topic "logs" with 1 partitions')
    await kcat('3.9', ['-P', '-b', bootstrap, '-t', 'orders'], 'one\ntwo')
    const read = await kcat('3.9', ['-C', '-b', bootstrap, '-t', 'orders', '-e', '-q'])
    expect(read.stdout.trim().split('\n').sort()).toEqual(['one', 'two'])
    broker.child.kill(signal)
    expect(await broker.ended).toBe(0)
  })

  it('--verbose says what a broker hung up on, and why', async () => {
    const broker = start('broker', '--port', '0', '--verbose')
    const [, port] = await broker.printed(/^Kafka 4 is ready at 127\.0\.0\.1:(\d+)$/m)
    // A Metadata v12 that ends within its list of topics.
    const client = connect(Number(port), '127.0.0.1')
    client.end(Buffer.from('0000000d0003000c000000010000000203', 'hex'))
    await broker.printed(/^hung up on Metadata v12: \d+ bytes wanted, \d+ left at byte \d+$/m)
  })

  it.each([
    [[], /a command is missing/],
    [['consume'], /no command 'consume'/],
    [['broker', '--port', 'x'], /--port must be an integer/],
    [['broker', '--topic', ':3'], /--topic must be a name/],
    [['broker', '--topic', 'a:6', '--topic', 'a:3'], /^--topic a is given twice$/m],
    [['broker', '--what'], /^there is no option '--what'$/m],
    [['broker', '--prot', '1'], /^there is no option '--prot': did you mean '--port'\?$/m],
    [['brokr'], /^there is no command 'brokr': did you mean 'broker'\?$/m],
    [['broker', '--port', '65535', '--brokers', '3'], /^--port 65535 leaves no ports for 3 brokers/m],
  ])('%j is wrong usage', async (args, message) => {
    const broker = start(...args)
    expect(await broker.ended).toBe(2)
    expect(broker.output).toMatch(message)
    expect(broker.output).toContain('Usage: kafka-producer broker')
  })

  it('says why it can not start', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const taken = start('broker', '--port', String(port))
    expect(await taken.ended).toBe(1)
    expect(taken.output).toContain('EADDRINUSE')
    const unknown = start('broker', '--port', '0', '--release', '9.9')
    expect(await unknown.ended).toBe(1)
    expect(unknown.output).toContain("no Kafka release '9.9'")
  })

  it('explains itself, and tells its version', async () => {
    const [help, version] = [start('--help'), start('--version')]
    expect([await help.ended, help.output.startsWith('Usage')]).toEqual([0, true])
    expect([await version.ended, version.output]).toEqual([0, `${VERSION}\n`])
  })
})
