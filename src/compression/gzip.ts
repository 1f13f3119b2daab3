import { promisify } from 'node:util'
import { CorruptRecordsError } from '../errors.js'
import { tooLarge } from './bounded-output.js'
import type { Codec } from './codec.js'

/** From here on a call into the thread pool costs the event loop less than compressing in place. */
const OFF_LOOP_FROM_BYTES = 8 * 1024

export function gzipCodec(): Codec {
  const { gunzipSync, gzip, gzipSync } = process.getBuiltinModule('node:zlib')
  const gzipOffLoop = promisify(gzip)
  return {
    name: 'gzip',
    id: 1,
    levels: [1, 9],
    compress(input, { level }) {
      const options = { ...(level === undefined ? {} : { level }), chunkSize: chunkSize(input.length) }
      return input.length < OFF_LOOP_FROM_BYTES ? gzipSync(input, options) : gzipOffLoop(input, options)
    },
    decompress(input, { maxOutputBytes }) {
      return inflate(() => gunzipSync(input, { maxOutputLength: maxOutputBytes }), 'gzip', maxOutputBytes)
    },
  }
}

/** Output comes in chunks, each of which is a turn of the event loop: few of them. */
export function chunkSize(inputBytes: number): number {
  return Math.max(1024, inputBytes >> 2)
}

/** Runs one of Node's own decompressors, and says in our terms why it failed. */
export function inflate(run: () => Buffer, name: string, maxOutputBytes: number): Buffer {
  try {
    return run()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxOutputBytes)
    throw new CorruptRecordsError(`bytes that are not ${name}: ${(error as Error).message}`, { cause: error })
  }
}
