import { gunzipSync, gzipSync } from 'node:zlib'
import type { Clock } from '../../src/clock.js'
import type { Codec } from '../../src/index.js'
import type { Dice } from './dice.js'

/** As libuv has it. */
const THREADS = 4
const LONGEST_MS = 60
const NOTHING = gzipSync('')

/**
 * A codec that works as those of Node do, on threads of its own: each batch has its time, so that one is done before another
 * that was begun earlier, all wait for a thread, and what it reads it reads late. Now and then it fails, makes more of what it
 * is given, or gives nothing.
 */
export function poolOfThreads(clock: Clock, dice: Dice): Codec {
  const waiting: (() => void)[] = []
  let free = THREADS
  const work = (input: Uint8Array): Uint8Array => {
    const packed = gzipSync(input, { level: 1 })
    const how = dice.weighed([
      [20, 'well'],
      [1, 'fails'],
      [2, 'grows'],
      [1, 'nothing'],
      [2, 'a view'],
    ] as const)
    switch (how) {
      case 'well':
        return packed
      case 'fails':
        throw new Error('a thread fails')
      case 'grows':
        return Buffer.concat([packed, ...Array.from({ length: 1 + input.length / NOTHING.length }, () => NOTHING)])
      case 'nothing':
        return new Uint8Array()
      case 'a view':
        return new Uint8Array(Buffer.concat([NOTHING, packed, NOTHING])).subarray(NOTHING.length, -NOTHING.length)
    }
  }
  const begin = (input: Uint8Array, resolve: (bytes: Uint8Array) => void, reject: (error: unknown) => void): void => {
    free--
    clock.setTimeout(
      () => {
        try {
          resolve(work(input))
        } catch (error) {
          reject(error)
        }
        free++
        waiting.shift()?.()
      },
      dice.between(1, LONGEST_MS),
    )
  }
  return {
    name: 'mine',
    id: 1,
    compress: (input) => {
      if (dice.isLucky(0.03)) throw new Error('no thread')
      return new Promise((resolve, reject) => {
        const start = () => begin(input, resolve, reject)
        if (free > 0) start()
        else waiting.push(start)
      })
    },
    decompress: (input) => gunzipSync(input),
  }
}
