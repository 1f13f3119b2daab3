import { BATCH_MESSAGES, PARTITIONS, type Job } from '../job.js'
import type { BenchClient } from './bench-client.js'
import { encodeProduceRequest } from './produce-request.js'
import { connectRaw } from './raw-connection.js'

/** A socket alone: bytes encoded beforehand are written, answers counted. What the system and the sink take at most. */
export async function connect({ bootstrap, bytes, acks }: Job): Promise<BenchClient> {
  const requests = (messages: number) =>
    Array.from({ length: PARTITIONS }, (_, i) =>
      encodeProduceRequest(Array<Buffer>(messages).fill(Buffer.alloc(bytes, 'x')), i, i, acks),
    )
  const batches = requests(BATCH_MESSAGES)
  const singles = requests(1)
  const waiting: (() => void)[] = []
  let next = 0
  const socket = await connectRaw(bootstrap, () => waiting.shift()?.())
  const write = (encoded: readonly Buffer[]) =>
    new Promise<void>((resolve) => {
      waiting.push(resolve)
      socket.write(encoded[next++ % PARTITIONS] as Buffer)
    })
  return { sendBatch: () => write(batches), sendOne: () => write(singles), close: async () => socket.destroy() }
}
