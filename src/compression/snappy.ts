import { CorruptRecordsError } from '../errors.js'
import { optionalPackage } from '../optional-package.js'
import { compressBlocks, type BlockCompressor } from './blocks.js'
import { BoundedOutput } from './bounded-output.js'
import type { Codec } from './codec.js'
import { BLOCK_BYTES, copyRun, MatchFinder } from './lz77.js'

/**
 * snappy, framed as xerial's Java library does it, which Kafka's Java clients have always written and the older ones
 * insist on: a header, then blocks, each after its size as an int32. Other clients write one block without a frame;
 * both are read.
 *
 * A block is the size of its content as a varint, then elements. The low two bits of an element's first byte say what
 * it is: literals, or a copy with its offset in 1 (and three bits of the tag), 2 or 4 bytes.
 */

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, then the version and the oldest one compatible with it, both 1. */
const XERIAL_HEADER = Buffer.from([...XERIAL_MAGIC, 0, 0, 0, 1, 0, 0, 0, 1])

const LITERALS = 0
const COPY_1 = 1
const COPY_2 = 2
/** Literals of more bytes than this have their size after the tag. */
const SHORT_LITERALS = 60
const MAX_COPY = 64
/** No element makes more of a byte of its own: 64 bytes from 3. */
const MAX_GROWTH = 22

interface SnappyPackage {
  compressSync: (input: Uint8Array) => Uint8Array
  compress: (input: Uint8Array) => Promise<Uint8Array>
}

export function snappyCodec(native = optionalPackage('snappy') as SnappyPackage | null): Codec {
  const compressor = native === null ? portable() : packaged(native)
  return {
    name: 'snappy',
    id: 2,
    compress: (input) => compressBlocks(input, compressor, joinXerial),
    decompress(input, { maxOutputBytes }) {
      const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
      return isXerial(bytes) ? decompressXerial(bytes, maxOutputBytes) : decompressPlain(bytes, maxOutputBytes)
    },
  }
}

function joinXerial(blocks: readonly Uint8Array[]): Buffer {
  const output = Buffer.allocUnsafe(blocks.reduce((sum, block) => sum + 4 + block.length, XERIAL_HEADER.length))
  let at = XERIAL_HEADER.copy(output)
  for (const block of blocks) {
    at = output.writeInt32BE(block.length, at)
    output.set(block, at)
    at += block.length
  }
  return output
}

function isXerial(input: Buffer): boolean {
  return (
    input.length >= XERIAL_HEADER.length &&
    input.compare(XERIAL_MAGIC, 0, XERIAL_MAGIC.length, 0, XERIAL_MAGIC.length) === 0
  )
}

function decompressXerial(input: Buffer, maxOutputBytes: number): Buffer {
  const output = new BoundedOutput(input.length * 4, maxOutputBytes)
  for (let at = XERIAL_HEADER.length; at < input.length;) {
    const size = input.length - at < 4 ? -1 : input.readInt32BE(at)
    at += 4
    if (size < 0 || size > input.length - at) throw malformed()
    decompressBlock(input, at, at + size, output)
    at += size
  }
  return output.bytes()
}

function decompressPlain(input: Buffer, maxOutputBytes: number): Buffer {
  const output = new BoundedOutput(0, maxOutputBytes)
  decompressBlock(input, 0, input.length, output)
  return output.bytes()
}

function decompressBlock(input: Uint8Array, start: number, end: number, output: BoundedOutput): void {
  let at = start
  let size = 0
  for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) {
    if (at === end || shift > 28) throw malformed()
    byte = input[at++] as number
    size += (byte & 0x7f) * 2 ** shift
  }
  if (size > (end - start) * MAX_GROWTH) throw malformed()
  output.reserve(size)
  const lowest = output.length
  const limit = lowest + size
  const to = output.buffer
  let toAt = lowest
  while (at < end) {
    const tag = input[at++] as number
    const kind = tag & 3
    if (kind === LITERALS) {
      let count = tag >> 2
      if (count >= SHORT_LITERALS) {
        const sizeBytes = count - SHORT_LITERALS + 1
        count = littleEndian(input, at, sizeBytes)
        at += sizeBytes
      }
      count++
      if (count > end - at || count > limit - toAt) throw malformed()
      copyRun(input, at, to, toAt, count)
      at += count
      toAt += count
      continue
    }
    const offsetBytes = kind === COPY_1 ? 1 : kind === COPY_2 ? 2 : 4
    if (offsetBytes > end - at) throw malformed()
    const offset = littleEndian(input, at, offsetBytes) + (kind === COPY_1 ? (tag >> 5) << 8 : 0)
    const count = kind === COPY_1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    at += offsetBytes
    if (offset === 0 || offset > toAt - lowest || count > limit - toAt) throw malformed()
    copyRun(to, toAt - offset, to, toAt, count)
    toAt += count
  }
  if (toAt !== limit) throw malformed()
  output.length = limit
}

function littleEndian(input: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = 0; i < count; i++) value |= (input[at + i] as number) << (8 * i)
  return value >>> 0
}

function malformed(): CorruptRecordsError {
  return new CorruptRecordsError('bytes that are not snappy')
}

function packaged(native: SnappyPackage): BlockCompressor {
  return { now: (block) => native.compressSync(block), offLoop: (block) => native.compress(block) }
}

function portable(): BlockCompressor {
  const finder = new MatchFinder()
  const output = new Uint8Array(32 + BLOCK_BYTES + Math.ceil(BLOCK_BYTES / 6))
  return { now: (block) => output.slice(0, compressBlock(block, finder, output)) }
}

function compressBlock(input: Uint8Array, finder: MatchFinder, output: Uint8Array): number {
  const found = finder.find(input, 0, input.length)
  const { copies } = finder
  let to = 0
  let size = input.length
  for (; size >= 0x80; size >>= 7) output[to++] = size | 0x80
  output[to++] = size
  let at = 0
  for (let i = 0; i < found; i += 3) {
    const literals = copies[i] as number
    const length = copies[i + 1] as number
    if (literals > 0) to = putLiterals(input, at, literals, output, to)
    to = putCopy(length, copies[i + 2] as number, output, to)
    at += literals + length
  }
  return at < input.length ? putLiterals(input, at, input.length - at, output, to) : to
}

function putLiterals(input: Uint8Array, at: number, count: number, output: Uint8Array, start: number): number {
  let to = start
  const size = count - 1
  if (size < SHORT_LITERALS) {
    output[to++] = (size << 2) | LITERALS
  } else {
    output[to++] = ((size < 0x100 ? SHORT_LITERALS : SHORT_LITERALS + 1) << 2) | LITERALS
    output[to++] = size
    if (size >= 0x100) output[to++] = size >> 8
  }
  copyRun(input, at, output, to, count)
  return to + count
}

/** A copy of less than four bytes can't be had with one byte of offset, so none of these is left over. */
function putCopy(length: number, offset: number, output: Uint8Array, start: number): number {
  let to = start
  let left = length
  while (left > 0) {
    const count = left <= MAX_COPY ? left : left >= MAX_COPY + 4 ? MAX_COPY : left - 4
    if (count < 12 && offset < 2048) {
      output[to++] = ((offset >> 8) << 5) | ((count - 4) << 2) | COPY_1
      output[to++] = offset
    } else {
      output[to++] = ((count - 1) << 2) | COPY_2
      output[to++] = offset
      output[to++] = offset >> 8
    }
    left -= count
  }
  return to
}
