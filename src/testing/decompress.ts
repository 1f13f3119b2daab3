import type { Decompress } from '../protocol/records/record.js'

export const decompress: Decompress = (codec) => {
  throw new Error(`codec ${codec} is not there yet`)
}
