import { readdirSync, readFileSync } from 'node:fs'

/** A field of a message as Kafka specifies it; version ranges are written `3`, `3-5` or `3+`. */
export interface FieldSchema {
  name: string
  /** `int32`, `string` …, `[]int32` for an array; any name that is not of a primitive is a structure with `fields`. */
  type: string
  versions: string
  nullableVersions?: string
  tag?: number
  taggedVersions?: string
  default?: string
  fields?: FieldSchema[]
}

export interface MessageSchema {
  validVersions: string
  flexibleVersions: string
  fields: FieldSchema[]
}

export interface ApiSchema {
  apiKey: number
  name: string
  request: MessageSchema
  response: MessageSchema
}

export function loadSchemas(): ApiSchema[] {
  const folder = new URL('./', import.meta.url)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as ApiSchema)
}

export function parseRange(range: string): [low: number, high: number] {
  if (range === 'none') return [0, -1]
  if (range.endsWith('+')) return [Number(range.slice(0, -1)), Infinity]
  const [low, high = low] = range.split('-')
  return [Number(low), Number(high)]
}

export function inRange(range: string | undefined, version: number): boolean {
  const [low, high] = parseRange(range ?? 'none')
  return low <= version && version <= high
}
