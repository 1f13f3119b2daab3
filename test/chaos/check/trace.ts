/** Tells all that is known of what was found: which messages, when, and on which connections. */
import { createReadStream } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { placeOf, type Finding } from './verdict.js'

/** So many of each kind are told with all that happened around them; of the others one line each. */
const FULLY_TOLD = 5
const AROUND_MS = 500

/** Writes a file into the folder of the round. */
export async function traceOf(findings: readonly Finding[], dir: string, name: string): Promise<void> {
  const parts: string[] = []
  const told = new Map<string, number>()
  for (const finding of findings) {
    parts.push(headline(finding))
    const count = (told.get(finding.kind) ?? 0) + 1
    told.set(finding.kind, count)
    const { message } = finding
    if (count > FULLY_TOLD || message === undefined) continue
    const from = message.givenAt - AROUND_MS
    const until = (message.fate?.at ?? message.givenAt + 60_000) + AROUND_MS
    parts.push(...(await linesBetween(dir, finding.worker, from, until)).map((line) => `    ${line}`))
  }
  await writeFile(join(dir, name), `${parts.join('\n')}\n`)
}

export function headline({ kind, worker, what, message, copies = [] }: Finding): string {
  const which =
    message === undefined
      ? ''
      : ` message ${message.sequence} to ${message.topic}, given ${iso(message.givenAt)}, told ${iso(message.fate?.at)}`
  const found = copies.length === 0 ? '' : `; it stands at ${copies.map(placeOf).join(' and ')}`
  return `${kind}: ${worker}${which}: ${what}${found}`
}

/** What the producer wrote down for people, what happened on its connections, and what befell the cluster. */
async function linesBetween(dir: string, worker: string, from: number, until: number): Promise<string[]> {
  const lines: { readonly at: number; readonly text: string }[] = []
  const connections = new Set<string>()
  for (const file of (await readdir(dir)).filter((name) => name === 'events.log' || name === `${worker}.journal`)) {
    for await (const line of createInterface({ input: createReadStream(join(dir, file)) })) {
      const isEvent = file === 'events.log'
      const [, at = '', text = ''] = (isEvent ? /^(\d+) (.*)$/ : /^# (\d+) (.*)$/).exec(line) ?? []
      const [, connection, owner] = /^(broker \d+ connection \d+): is of (.*)$/.exec(text) ?? []
      if (connection !== undefined && owner === worker) connections.add(connection)
      const of = /^(broker \d+ connection \d+):/.exec(text)?.[1]
      const isAbout = of === undefined || connections.has(of)
      if (isAbout && Number(at) >= from && Number(at) <= until) lines.push({ at: Number(at), text })
    }
  }
  return lines.sort((one, other) => one.at - other.at).map(({ at, text }) => `${iso(at)} ${text}`)
}

function iso(at: number | undefined): string {
  return at === undefined ? 'never' : new Date(at).toISOString()
}
