/** Writes down what the producer does: its batches, requests and connections, as its diagnostics channels tell of them. */
import { subscribe } from 'node:diagnostics_channel'
import type { BatchTrace, ConnectTrace, RequestTrace } from '../../../src/index.js'
import type { JournalWriter } from '../journal.js'

const PREFIX = 'tracing:kafka-producer:'

export function writeRemarks(journal: JournalWriter): void {
  const remark = (text: string): void => journal.remark(Date.now(), text)
  const on = <Trace>(channel: string, text: (trace: Trace) => string | undefined): void =>
    subscribe(`${PREFIX}${channel}`, (trace) => {
      const line = text(trace as Trace)
      if (line !== undefined) remark(line)
    })
  on<BatchTrace>('batch:start', (trace) => `batch ${nameOf(trace)} begins, queued for ${Math.round(trace.queuedMs)} ms`)
  on<BatchTrace>('batch:asyncEnd', (trace) => `batch ${nameOf(trace)} ${endOf(trace)}`)
  on<RequestTrace>('request:start', (trace) =>
    trace.api === 'Produce' ? `request ${placeOf(trace)} begins` : undefined,
  )
  on<RequestTrace>('request:asyncEnd', (trace) =>
    trace.api === 'Produce' || trace.error !== undefined ? `request ${placeOf(trace)} ${endOf(trace)}` : undefined,
  )
  on<ConnectTrace>('connect:asyncEnd', (trace) => `connection to ${trace.broker} ${endOf(trace)}`)
}

function nameOf({ topic, partition, brokerId, attempt, messages }: BatchTrace): string {
  return `${topic}-${partition} attempt ${attempt} of ${messages} to broker ${brokerId}`
}

function placeOf({ api, correlationId, broker }: RequestTrace): string {
  return `${api} ${correlationId} to ${broker}`
}

function endOf({ error }: { readonly error?: Error | undefined }): string {
  return error === undefined ? 'done' : `failed: ${error.message}`
}
