/** The sequences of batches as they stand in a broker's files, by Kafka's own `DumpLogSegments`. */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { RealKafka } from '../support/real-kafka.js'

/** Ahead of the batches of each file. */
const FILE = /^Dumping (.*\.log)$/
const BATCH = /baseSequence: (-?\d+) lastSequence: (-?\d+) producerId: (-?\d+) producerEpoch: (-?\d+)/

export interface Sequences {
  readonly batches: number
  /** Of a producer id and an epoch in a partition. */
  readonly runs: number
  readonly findings: readonly string[]
}

/** Whether they are contiguous, for each producer id and epoch, in a broker's copies of these topics' partitions. */
export async function checkSequences(kafka: RealKafka, broker: number, topics: readonly string[]): Promise<Sequences> {
  const dumped = await dump(kafka, await segmentsOf(kafka.dataOf(broker), topics))
  return sequencesOf(`broker ${broker}`, dumped.split('\n'))
}

/** Of what the tool prints. */
export function sequencesOf(broker: string, lines: readonly string[]): Sequences {
  let batches = 0
  const runs = new Map<string, number>()
  const findings: string[] = []
  let place = broker
  for (const line of lines) {
    const file = FILE.exec(line)
    if (file !== null) place = `${broker}, ${basename(dirname(file[1] ?? ''))}`
    const [, ...fields] = BATCH.exec(line) ?? []
    const [base = NaN, last = NaN, producerId = NaN, epoch = NaN] = fields.map(Number)
    // Neither a batch nor a marker, which has the id and no sequence.
    if (Number.isNaN(base) || (producerId >= 0 && base < 0)) continue
    batches++
    const run = `${place}, producer id ${producerId}, epoch ${epoch}`
    const expected = runs.get(run) ?? 0
    if (producerId < 0) findings.push(`${place}: a batch without a producer id: ${line}`)
    else if (base !== expected) findings.push(`${run}: ${base} where ${expected} was due`)
    runs.set(run, last + 1)
  }
  return { batches, runs: runs.size, findings }
}

async function segmentsOf(folder: string, topics: readonly string[]): Promise<string[]> {
  const all = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.log')).sort()
  return all.filter((path) => topics.includes(dirname(path).replace(/-\d+$/, ''))).map((path) => join(folder, path))
}

async function dump(kafka: RealKafka, files: readonly string[]): Promise<string> {
  // It has moved.
  const main =
    kafka.release.tools === undefined ? 'kafka.tools.DumpLogSegments' : 'org.apache.kafka.tools.DumpLogSegments'
  return (await kafka.tool(main, ['--files', files.join(',')])).toString()
}
