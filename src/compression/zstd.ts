import { promisify } from 'node:util'
import { CorruptRecordsError, InvalidConfigError } from '../errors.js'
import { optionalPackage } from '../optional-package.js'
import type { Codec } from './codec.js'
import { chunkSize, inflate } from './gzip.js'

/** From here on a call into the thread pool costs the event loop less than compressing in place. */
const OFF_LOOP_FROM_BYTES = 32 * 1024

const DEFAULT_LEVEL = 3
const COMPRESSION_LEVEL = 100

const FRAME_MAGIC = 0xfd2fb528
const SINGLE_SEGMENT_FLAG = 0x20
const CHECKSUM_FLAG = 0x04
const DICTIONARY_MASK = 0x03
const RLE_BLOCK = 1

interface ZstdOptions {
  params?: Record<number, number>
  chunkSize?: number
  pledgedSrcSize?: number
  maxOutputLength?: number
}

/** What node:zlib has from 22.15 and 23.8 on. */
interface NodeZstd {
  zstdCompressSync(input: Uint8Array, options: ZstdOptions): Buffer
  zstdCompress(input: Uint8Array, options: ZstdOptions, callback: (error: Error | null, output: Buffer) => void): void
  zstdDecompressSync(input: Uint8Array, options: ZstdOptions): Buffer
}

/** `@mongodb-js/zstd`, any version; the first does not pass a level on. */
interface ZstdPackage {
  compress(input: Buffer): Promise<Buffer>
}

/**
 * Node's own zstd. A Node without it compresses with `@mongodb-js/zstd` where that is installed, and can't decompress:
 * producers never do.
 */
export function zstdCodec(
  node: Partial<NodeZstd> = process.getBuiltinModule('node:zlib') as Partial<NodeZstd>,
  load: () => unknown = () => optionalPackage('@mongodb-js/zstd'),
): Codec {
  if (hasZstd(node)) {
    const zstdOffLoop = promisify((...args: Parameters<NodeZstd['zstdCompress']>) => node.zstdCompress(...args))
    return {
      name: 'zstd',
      id: 4,
      levels: [-131072, 22],
      compress(input, { level = DEFAULT_LEVEL }) {
        // Without the size, the thread pool's way sets up tables for an input without end.
        const options = {
          params: { [COMPRESSION_LEVEL]: level },
          chunkSize: chunkSize(input.length),
          pledgedSrcSize: input.length,
        }
        return input.length < OFF_LOOP_FROM_BYTES ? node.zstdCompressSync(input, options) : zstdOffLoop(input, options)
      },
      decompress(input, { maxOutputBytes }) {
        if (!isOneFrame(input)) throw new CorruptRecordsError('bytes that are not zstd: other than one frame')
        return inflate(
          () => node.zstdDecompressSync(input, { maxOutputLength: maxOutputBytes }),
          'zstd',
          maxOutputBytes,
        )
      },
    }
  }
  const fallback = load() as ZstdPackage | null
  if (fallback === null) {
    throw new InvalidConfigError(
      `zstd needs Node 22.15, 23.8 or later; for ${process.version}, install the package @mongodb-js/zstd (version 1 has its binaries with it)`,
    )
  }
  return {
    name: 'zstd',
    id: 4,
    compress: (input) => fallback.compress(Buffer.from(input.buffer, input.byteOffset, input.length)),
    decompress() {
      throw new CorruptRecordsError(`reading zstd needs Node 22.15, 23.8 or later, this is ${process.version}`)
    },
  }
}

/**
 * Whether the bytes are one frame, no less and no more. Node passes over what follows a frame, and Node 22 gives what
 * it has of a frame that is cut off, both without an error.
 *
 *     magic | descriptor | window and content size, each where the descriptor says so | blocks | checksum
 *
 * A block begins with three bytes: whether it is the last, its type, and its size.
 */
function isOneFrame(input: Uint8Array): boolean {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
  if (bytes.length < 5 || bytes.readUInt32LE() !== FRAME_MAGIC) return false
  const descriptor = bytes[4] as number
  if ((descriptor & DICTIONARY_MASK) !== 0) return false
  let at = 5 + sizeOfHeaderFields(descriptor)
  let last = false
  while (!last) {
    if (bytes.length - at < 3) return false
    const header = bytes.readUIntLE(at, 3)
    last = (header & 1) === 1
    at += 3 + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3)
  }
  return at + ((descriptor & CHECKSUM_FLAG) === 0 ? 0 : 4) === bytes.length
}

function sizeOfHeaderFields(descriptor: number): number {
  const singleSegment = (descriptor & SINGLE_SEGMENT_FLAG) !== 0
  const contentSize = descriptor >> 6
  return (singleSegment ? 0 : 1) + (contentSize > 0 ? 1 << contentSize : singleSegment ? 1 : 0)
}

function hasZstd(node: Partial<NodeZstd>): node is NodeZstd {
  return node.zstdCompress !== undefined && node.zstdCompressSync !== undefined && node.zstdDecompressSync !== undefined
}
