import { PARTITIONS, type Job } from '../job.js'
import type { BenchClient } from './bench-client.js'
import { encodeProduceRequest } from './produce-request.js'
import { connectRaw } from './raw-connection.js'

/**
 * The least that a Node producer can do, as a limit to compare with: no errors, no retries, no time-outs, bytes alone.
 * What is given in one turn goes as one request of one batch for one partition, each in turn.
 */
const MAX_BATCH = 10_000
const MAX_IN_FLIGHT = 5

interface Pending {
  readonly values: Buffer[]
  readonly resolvers: { readonly resolve: (offset: number) => void; readonly last: number }[]
}

export async function connect({ bootstrap, acks }: Job): Promise<BenchClient> {
  const inFlight: Pending[] = []
  let pending: Pending = { values: [], resolvers: [] }
  let scheduled = false
  let correlationId = 0

  const socket = await connectRaw(bootstrap, () => {
    const done = inFlight.shift()
    for (const { resolve, last } of done?.resolvers ?? []) resolve(last)
    if (pending.values.length > 0) schedule()
  })
  const schedule = () => {
    if (scheduled || inFlight.length >= MAX_IN_FLIGHT) return
    scheduled = true
    setImmediate(flush)
  }
  const flush = () => {
    scheduled = false
    if (pending.values.length === 0) return
    socket.write(encodeProduceRequest(pending.values, correlationId, correlationId % PARTITIONS, acks))
    correlationId++
    inFlight.push(pending)
    pending = { values: [], resolvers: [] }
  }
  return {
    sendBatch: (payloads) =>
      new Promise((resolve) => {
        for (const { value } of payloads) pending.values.push(value as Buffer)
        pending.resolvers.push({ resolve, last: pending.values.length })
        if (pending.values.length >= MAX_BATCH) flush()
        else schedule()
      }),
    sendOne: ({ value }) =>
      new Promise((resolve) => {
        pending.values.push(value as Buffer)
        pending.resolvers.push({ resolve, last: pending.values.length })
        schedule()
      }),
    close: async () => socket.destroy(),
  }
}
