/**
 * What the codecs do to blocks of JSON lines: `npx tsx test/bench/codecs.ts [bytes in a block]`.
 *
 * MB/s of input, least, median and most of nine rounds: one block after another, and four at a time; then the time that a
 * block takes from the event loop's thread (where Node can tell), and the ratio.
 */
import { Codecs, type Codec } from '../../src/compression/codec.js'
import { lz4Codec } from '../../src/compression/lz4.js'
import { snappyCodec } from '../../src/compression/snappy.js'
import { jsonLines, nodeHasZstd } from '../unit/compression/support.js'

const ROUNDS = 9
const BLOCKS = 40
const blockBytes = Number(process.argv[2] ?? 100_000)
const blocks = Array.from({ length: BLOCKS }, (_, i) => jsonLines(blockBytes, i))

/** From Node 23.9 on. */
const threadCpu = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage

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

function speeds(milliseconds: readonly number[]): string {
  const sorted = milliseconds.map((ms) => (BLOCKS * blockBytes) / 1e3 / ms).sort((a, b) => a - b)
  return [sorted[0], sorted[ROUNDS >> 1], sorted.at(-1)].map((speed) => Math.round(speed ?? 0)).join('-')
}

console.log(`Node ${process.version}, blocks of ${blockBytes} bytes`)
for (const [name, codec, level] of all) {
  const compress = async (block: Buffer): Promise<Uint8Array> => codec.compress(block, { magic: 2, level })
  const compressed = await Promise.all(blocks.map(compress))
  const alone: number[] = []
  const four: number[] = []
  let cpu = 0
  for (let round = 0; round < ROUNDS; round++) {
    let began = performance.now()
    for (const block of blocks) await compress(block)
    alone.push(performance.now() - began)
    const used = threadCpu?.()
    began = performance.now()
    for (let i = 0; i < BLOCKS; i += 4) await Promise.all(blocks.slice(i, i + 4).map(compress))
    four.push(performance.now() - began)
    const now = threadCpu?.()
    if (used !== undefined && now !== undefined) cpu += now.user + now.system - used.user - used.system
  }
  const decompressing: number[] = []
  if (codec.name !== 'zstd' || nodeHasZstd) {
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now()
      for (const bytes of compressed) codec.decompress(bytes, { magic: 2, maxOutputBytes: blockBytes })
      decompressing.push(performance.now() - began)
    }
  }
  const ratio = (BLOCKS * blockBytes) / compressed.reduce((sum, bytes) => sum + bytes.length, 0)
  const onLoop = threadCpu === undefined ? '-' : `${Math.round(cpu / ROUNDS / BLOCKS)} µs`
  console.log([
    name.padEnd(18), `one at a time ${speeds(alone)}`.padEnd(30), `four ${speeds(four)}`.padEnd(20), `on the loop ${onLoop}`.padEnd(22),
    `read ${decompressing.length > 0 ? speeds(decompressing) : '-'}`.padEnd(20), `ratio ${ratio.toFixed(2)}`,
  ].join(' '))
}
