import { CorruptRecordsError } from '../errors.js'
import { optionalPackage } from '../optional-package.js'
import { compressBlocks, type BlockCompressor } from './blocks.js'
import { BoundedOutput, tooLarge } from './bounded-output.js'
import type { Codec } from './codec.js'
import { BLOCK_BYTES, copyRun, MatchFinder } from './lz77.js'
import { xxHash32 } from './xxhash32.js'

/**
 * lz4 in its frame format: one frame, with independent blocks. Kafka refuses blocks that depend on each other, and reads
 * nothing behind the first frame.
 *
 *     magic | flags | largest block | checksum of the header | blocks, each after its size | 0 |
 *
 * Kafka before 0.10 took the header's checksum over the magic too. For records of that time (magic 0) the wrong one is
 * written, since their readers insist on it, and both are read; from magic 1 on only the right one (KIP-57).
 */

const FRAME_MAGIC = 0x184d2204
/** Version 01, blocks independent of each other; and blocks of at most 64 KB. */
const FLAGS = 0x60
const BLOCKS_OF_64_KB = 0x40
const HEADER_BYTES = 7

const VERSION_MASK = 0xc0
const VERSION = 0x40
const INDEPENDENT_FLAG = 0x20
const BLOCK_CHECKSUM_FLAG = 0x10
const CONTENT_SIZE_FLAG = 0x08
const CONTENT_CHECKSUM_FLAG = 0x04
/** One is reserved, the other says that a dictionary is needed. */
const REFUSED_FLAGS = 0x03

/** In a block's size: the block is not compressed. */
const PLAIN_BLOCK = 0x80000000
const MIN_MATCH = 4
/** A byte of a long match's size stands for at most so many bytes. */
const MAX_GROWTH = 255

/** Raw blocks; the package puts four bytes with the block's size before each. */
interface Lz4Package {
  compressSync: (input: Uint8Array) => Uint8Array
  compress: (input: Uint8Array) => Promise<Uint8Array>
}
const SIZE_BYTES = 4

export function lz4Codec(native = optionalPackage('lz4-napi') as Lz4Package | null): Codec {
  const compressor = native === null ? portable() : packaged(native)
  return {
    name: 'lz4',
    id: 3,
    compress: (input, { magic }) => compressBlocks(input, compressor, (blocks) => joinFrame(input, blocks, magic)),
    decompress(input, { magic, maxOutputBytes }) {
      return decompressFrame(Buffer.from(input.buffer, input.byteOffset, input.length), magic, maxOutputBytes)
    },
  }
}

function joinFrame(input: Uint8Array, compressed: readonly Uint8Array[], magic: number): Buffer {
  const blocks = compressed.map((block, i) => orPlain(block, input.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)))
  const output = Buffer.allocUnsafe(blocks.reduce((sum, { bytes }) => sum + 4 + bytes.length, HEADER_BYTES + 4))
  output.writeUInt32LE(FRAME_MAGIC, 0)
  output[4] = FLAGS
  output[5] = BLOCKS_OF_64_KB
  output[6] = headerChecksum(output, magic === 0 ? 0 : 4, 6)
  let at = HEADER_BYTES
  for (const { bytes, flag } of blocks) {
    at = output.writeUInt32LE(bytes.length + flag, at)
    output.set(bytes, at)
    at += bytes.length
  }
  output.writeUInt32LE(0, at)
  return output
}

/** A block that compressing did not make smaller goes out as it is. */
function orPlain(compressed: Uint8Array, plain: Uint8Array): { bytes: Uint8Array; flag: number } {
  return compressed.length < plain.length ? { bytes: compressed, flag: 0 } : { bytes: plain, flag: PLAIN_BLOCK }
}

function headerChecksum(frame: Buffer, start: number, end: number): number {
  return (xxHash32(frame, start, end) >>> 8) & 0xff
}

function decompressFrame(input: Buffer, magic: number, maxOutputBytes: number): Buffer {
  const output = new BoundedOutput(input.length * 4, maxOutputBytes)
  let at = 0
  /** Where the next `count` bytes are. */
  const take = (count: number): number => {
    if (count > input.length - at) throw malformed('cut off')
    at += count
    return at - count
  }

  if (input.readUInt32LE(take(4)) !== FRAME_MAGIC) throw malformed('no frame')
  const flags = input[take(1)] as number
  const blockSizes = input[take(1)] as number
  if ((flags & VERSION_MASK) !== VERSION || (flags & REFUSED_FLAGS) !== 0) throw malformed(`flags ${flags}`)
  if ((flags & INDEPENDENT_FLAG) === 0) throw malformed('blocks that depend on each other, which Kafka does not take')
  if ((blockSizes & 0x8f) !== 0 || blockSizes < BLOCKS_OF_64_KB) throw malformed(`block size ${blockSizes}`)
  const maxBlock = 1 << (8 + 2 * (blockSizes >> 4))
  const contentSize = (flags & CONTENT_SIZE_FLAG) === 0 ? undefined : input.readBigUInt64LE(take(8))
  const headerEnd = at
  const checksum = input[take(1)]
  const right = checksum === headerChecksum(input, 4, headerEnd)
  const asBefore010 = magic === 0 && checksum === headerChecksum(input, 0, headerEnd)
  if (!right && !asBefore010) throw malformed('wrong checksum of the header')

  for (;;) {
    const word = input.readUInt32LE(take(4))
    if (word === 0) break
    const size = word % PLAIN_BLOCK
    if (size > maxBlock) throw malformed(`a block of ${size} bytes`)
    const from = take(size)
    if ((flags & BLOCK_CHECKSUM_FLAG) !== 0 && input.readUInt32LE(take(4)) !== xxHash32(input, from, from + size)) {
      throw malformed('wrong checksum of a block')
    }
    if (word >= PLAIN_BLOCK) {
      output.reserve(size)
      output.length += input.copy(output.buffer, output.length, from, from + size)
    } else {
      decompressBlock(input, from, from + size, output, maxBlock)
    }
  }
  const content = output.bytes()
  if (contentSize !== undefined && contentSize !== BigInt(content.length))
    throw malformed('other than its content size')
  if ((flags & CONTENT_CHECKSUM_FLAG) !== 0 && input.readUInt32LE(take(4)) !== xxHash32(content)) {
    throw malformed('wrong checksum of the content')
  }
  if (at < input.length) throw malformed('something behind its frame')
  return content
}

/**
 * A block is made of sequences: a token with two sizes of four bits (15: more bytes follow), literals, and a copy of what
 * came before, from an offset of two bytes on. The last sequence has literals alone.
 */
function decompressBlock(input: Uint8Array, start: number, end: number, output: BoundedOutput, maxBlock: number): void {
  const lowest = output.length
  const blockEnd = lowest + maxBlock
  const limit = output.reserveUpTo(Math.min(maxBlock, (end - start) * MAX_GROWTH))
  const to = output.buffer
  let toAt = lowest
  let at = start
  while (at < end) {
    const token = input[at++] as number
    let literals = token >> 4
    if (literals === 15) {
      let more = 255
      for (; more === 255 && at < end; literals += more) more = input[at++] as number
      if (more === 255) throw malformed('cut off')
    }
    if (literals > end - at) throw malformed('cut off')
    if (literals > limit - toAt) throw beyond(limit, blockEnd)
    copyRun(input, at, to, toAt, literals)
    at += literals
    toAt += literals
    if (at === end) {
      output.length = toAt
      return
    }
    if (end - at < 2) throw malformed('cut off')
    const offset = (input[at] as number) | ((input[at + 1] as number) << 8)
    at += 2
    let length = (token & 15) + MIN_MATCH
    if (length === 15 + MIN_MATCH) {
      let more = 255
      for (; more === 255 && at < end; length += more) more = input[at++] as number
      if (more === 255) throw malformed('cut off')
    }
    if (offset === 0 || offset > toAt - lowest) throw malformed(`an offset of ${offset}`)
    if (length > limit - toAt) throw beyond(limit, blockEnd)
    copyRun(to, toAt - offset, to, toAt, length)
    toAt += length
  }
  throw malformed('a block without an end')
}

function beyond(limit: number, blockEnd: number): CorruptRecordsError {
  return limit < blockEnd ? tooLarge(limit) : malformed('a block larger than the frame says')
}

function malformed(what: string): CorruptRecordsError {
  return new CorruptRecordsError(`bytes that are not lz4: ${what}`)
}

function packaged(native: Lz4Package): BlockCompressor {
  return {
    now: (block) => native.compressSync(block).subarray(SIZE_BYTES),
    offLoop: async (block) => (await native.compress(block)).subarray(SIZE_BYTES),
  }
}

function portable(): BlockCompressor {
  const finder = new MatchFinder()
  const output = new Uint8Array(BLOCK_BYTES + Math.ceil(BLOCK_BYTES / 255) + 16)
  return { now: (block) => output.slice(0, compressBlock(block, finder, output)) }
}

function compressBlock(input: Uint8Array, finder: MatchFinder, output: Uint8Array): number {
  const found = finder.find(input, 0, input.length)
  const { copies } = finder
  let at = 0
  let to = 0
  for (let i = 0; i < found; i += 3) {
    const literals = copies[i] as number
    const length = copies[i + 1] as number
    const offset = copies[i + 2] as number
    to = putLiterals(input, at, literals, length - MIN_MATCH, output, to)
    output[to++] = offset
    output[to++] = offset >> 8
    if (length - MIN_MATCH >= 15) to = putMore(length - MIN_MATCH - 15, output, to)
    at += literals + length
  }
  return putLiterals(input, at, input.length - at, 0, output, to)
}

/** The token, with the size of the match to come, and the literals. */
function putLiterals(
  input: Uint8Array,
  at: number,
  count: number,
  match: number,
  output: Uint8Array,
  start: number,
): number {
  let to = start
  output[to++] = (Math.min(count, 15) << 4) | Math.min(match, 15)
  if (count >= 15) to = putMore(count - 15, output, to)
  copyRun(input, at, output, to, count)
  return to + count
}

function putMore(count: number, output: Uint8Array, start: number): number {
  let to = start
  let left = count
  for (; left >= 255; left -= 255) output[to++] = 255
  output[to++] = left
  return to
}
