import { nextTurn, systemClock } from '../clock.js'
import { BLOCK_BYTES } from './lz77.js'

/** Compresses one block of at most {@link BLOCK_BYTES}. */
export interface BlockCompressor {
  now(block: Uint8Array): Uint8Array
  /** In another thread; undefined where only this one can. */
  offLoop?: ((block: Uint8Array) => Promise<Uint8Array>) | undefined
}

/** From here on a call into the thread pool costs the event loop less than compressing in place. */
const OFF_LOOP_FROM_BYTES = 32 * 1024

/** Compresses each block of `input` and joins them. */
export function compressBlocks(
  input: Uint8Array,
  compressor: BlockCompressor,
  join: (compressed: readonly Uint8Array[]) => Uint8Array,
): Uint8Array | Promise<Uint8Array> {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < input.length; at += BLOCK_BYTES) blocks.push(input.subarray(at, at + BLOCK_BYTES))
  const { offLoop } = compressor
  if (input.length < OFF_LOOP_FROM_BYTES) return join(blocks.map((block) => compressor.now(block)))
  if (offLoop !== undefined) return Promise.all(blocks.map((block) => offLoop(block))).then(join)
  return compressInTurns(blocks, compressor).then(join)
}

/** The event loop gets to do other things between two blocks. */
async function compressInTurns(blocks: readonly Uint8Array[], compressor: BlockCompressor): Promise<Uint8Array[]> {
  const compressed: Uint8Array[] = []
  for (const block of blocks) {
    if (compressed.length > 0) await nextTurn(systemClock)
    compressed.push(compressor.now(block))
  }
  return compressed
}
