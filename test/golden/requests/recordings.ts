/** What record.ts writes, and how to read it. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Recording {
  /** The client and its version. */
  readonly client: string
  /** The broker's release: clients choose their versions after it. */
  readonly broker: string
  readonly recorded: string
  readonly commands: readonly string[]
  readonly requests: readonly {
    readonly api: string
    readonly version: number
    /** Hexadecimal, size included. */
    readonly frame: string
  }[]
}

const here = dirname(fileURLToPath(import.meta.url))

export function readRecordings(): { readonly name: string; readonly recording: Recording }[] {
  return readdirSync(here)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      name: name.replace('.json', ''),
      recording: JSON.parse(readFileSync(join(here, name), 'utf8')) as Recording,
    }))
}
