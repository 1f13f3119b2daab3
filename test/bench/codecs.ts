/**
 * What the codecs do to blocks of JSON lines: `npx tsx test/bench/codecs.ts [bytes in a block]`.
 *
 * MB of input per second of CPU, in whichever thread; least, median and most of nine rounds, so that a busy machine
 * changes little. Beside it the part of that time which the event loop's thread gave (where Node can tell).
 */
import { Codecs, type Codec } from '../../src/compression/codec.js'
import { lz4Codec } from '../../src/compression/lz4.js'
import { snappyCodec } from '../../src/compression/snappy.js'
import { jsonLines, nodeHasZstd } from '../unit/compression/support.js'

const ROUNDS = 9
const ROUND_BYTES = 20_000_000
const blockBytes = Number(process.argv[2] ?? 100_000)
const blocks = Array.from({ length: ROUND_BYTES / blockBytes }, (_, i) => jsonLines(blockBytes, i))

/** From Node 23.9 on. */
const threadCpuUsage = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage

function seconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6
}

/** Runs once to warm up, then for every round; the speeds, and the share of the event loop's thread. */
async function measure(round: () => Promise<void> | void): Promise<string> {
  const speeds: number[] = []
  await round()
  const all = process.cpuUsage()
  const loop = threadCpuUsage?.()
  for (let i = 0; i < ROUNDS; i++) {
    const before = process.cpuUsage()
    await round()
    speeds.push(ROUND_BYTES / 1e6 / seconds(process.cpuUsage(before)))
  }
  speeds.sort((a, b) => a - b)
  const [least, median, most] = [speeds[0], speeds[ROUNDS >> 1], speeds.at(-1)].map((speed) => Math.round(speed ?? 0))
  const now = threadCpuUsage?.()
  const share = loop === undefined || now === undefined ? '' : ` (${Math.round(((seconds(now) - seconds(loop)) / seconds(process.cpuUsage(all))) * 100)} % on the loop)`
  return `${least}-${median}-${most}${share}`
}

const codecs = new Codecs()
const all: readonly (readonly [string, Codec, number?])[] = [
  ['gzip 6', codecs.get('gzip')],
  ['gzip 1', codecs.get('gzip'), 1],
  ['snappy', codecs.get('snappy')],
  ['snappy, portable', snappyCodec(null)],
  ['lz4', codecs.get('lz4')],
  ['lz4, portable', lz4Codec(null)],
  ['zstd', codecs.get('zstd')],
]

console.log(`Node ${process.version}, blocks of ${blockBytes} bytes`)
for (const [name, codec, level] of all) {
  const compress = async (block: Buffer): Promise<Uint8Array> => codec.compress(block, { magic: 2, level })
  const compressed = await Promise.all(blocks.map(compress))
  const ratio = ROUND_BYTES / compressed.reduce((sum, bytes) => sum + bytes.length, 0)
  const writing = await measure(async () => {
    for (let i = 0; i < blocks.length; i += 4) await Promise.all(blocks.slice(i, i + 4).map(compress))
  })
  const reading = codec.name === 'zstd' && !nodeHasZstd ? 'not on this Node' : await measure(() => {
    for (const bytes of compressed) codec.decompress(bytes, { magic: 2, maxOutputBytes: blockBytes })
  })
  console.log(`${name.padEnd(17)} ratio ${ratio.toFixed(2)}  writes ${writing.padEnd(34)} reads ${reading}`)
}
