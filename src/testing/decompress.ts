import * as zlib from 'node:zlib'
import { Codecs } from '../compression/codec.js'
import { COMPRESSION_MASK, type Decompress } from '../protocol/records/record.js'
import type { LogEntry } from './partition-log.js'

const ZSTD = 4
const ATTRIBUTES_AT = 21
/** No batch that a broker accepts becomes larger than this; bytes that would are taken for hostile. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024

export function makeDecompress(): Decompress {
  const codecs = new Codecs()
  return (codec, bytes, magic) => codecs.decompress(codec, bytes, { magic, maxOutputBytes: MAX_OUTPUT_BYTES })
}

/** Node before 22.15 and 23.8 has no zstd: such batches are stored, as Kafka would, but can't be looked into. */
export function canDecompress(codec: number): boolean {
  return codec !== ZSTD || 'zstdDecompressSync' in zlib
}

/** An entry that this Node can't look into. Only a batch that came alone can be such. */
export function isClosed({ magic, bytes }: LogEntry): boolean {
  return magic === 2 && !canDecompress(bytes.readInt16BE(ATTRIBUTES_AT) & COMPRESSION_MASK)
}
