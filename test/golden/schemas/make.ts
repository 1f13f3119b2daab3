/*
 * Makes the schemas of this folder: tsx make.ts <older messages> <newer messages>
 *
 * Each argument is the folder `common/message` of a kafka-clients jar. Newer Kafka has dropped old versions: these, and
 * the fields that only they had, come from the older folder; all else is as the newer says. Where the two disagree on a
 * dropped version in any other way, this stops.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inRange, parseRange, type ApiSchema, type FieldSchema, type MessageSchema } from './schema.js'

const APIS = [
  'AddOffsetsToTxn',
  'AddPartitionsToTxn',
  'ApiVersions',
  'CreateTopics',
  'DeleteTopics',
  'DescribeCluster',
  'EndTxn',
  'Fetch',
  'FindCoordinator',
  'GetTelemetrySubscriptions',
  'Heartbeat',
  'InitProducerId',
  'JoinGroup',
  'LeaveGroup',
  'ListOffsets',
  'Metadata',
  'OffsetCommit',
  'OffsetFetch',
  'Produce',
  'PushTelemetry',
  'SaslAuthenticate',
  'SaslHandshake',
  'SyncGroup',
  'TxnOffsetCommit',
]

interface SpecField extends Omit<FieldSchema, 'default' | 'fields'> {
  default?: string | number | boolean
  fields?: SpecField[]
}

interface Spec {
  apiKey: number
  validVersions: string
  flexibleVersions: string
  fields: SpecField[]
  commonStructs?: { name: string; fields: SpecField[] }[]
}

function readSpec(folder: string, name: string): Spec {
  const text = readFileSync(join(folder, `${name}.json`), 'utf8')
  return JSON.parse(text.replace(/^\s*\/\/.*$/gm, '')) as Spec
}

/** Keeps what decides about bytes and defaults, and puts structures defined apart where they are used. */
function condense(spec: Spec): FieldSchema[] {
  const structures = new Map(spec.commonStructs?.map(({ name, fields }) => [name, fields]))
  const condenseField = (field: SpecField): FieldSchema => {
    const { name, type, versions, nullableVersions, tag, taggedVersions } = field
    const fields = field.fields ?? structures.get(type.replace('[]', ''))
    return {
      name,
      type,
      versions,
      ...(nullableVersions === undefined ? {} : { nullableVersions }),
      ...(tag === undefined || taggedVersions === undefined ? {} : { tag, taggedVersions }),
      ...(field.default === undefined ? {} : { default: String(field.default) }),
      ...(fields === undefined ? {} : { fields: fields.map(condenseField) }),
    }
  }
  return spec.fields.map(condenseField)
}

function versionsIn(range: string, dropped: readonly number[]): number[] {
  return dropped.filter((version) => inRange(range, version))
}

function mergeFields(
  older: FieldSchema[],
  newer: FieldSchema[],
  dropped: readonly number[],
  path: string,
): FieldSchema[] {
  const merged = [...newer]
  let at = 0
  for (const field of older) {
    const index = merged.findIndex(({ name }) => name === field.name)
    const same = merged[index]
    const versions = versionsIn(field.versions, dropped)
    if (same === undefined) {
      if (versions.length > 0) merged.splice(at++, 0, { ...field, versions: asRange(versions) })
      continue
    }
    const where = `${path}.${field.name}`
    if (index < at) throw new Error(`${where} stands elsewhere`)
    at = index + 1
    if (same.type !== field.type || same.tag !== field.tag || same.default !== field.default)
      throw new Error(`${where} differs`)
    for (const range of ['versions', 'nullableVersions', 'taggedVersions'] as const) {
      if (String(versionsIn(field[range] ?? 'none', dropped)) !== String(versionsIn(same[range] ?? 'none', dropped))) {
        throw new Error(`${range} of ${where} differ`)
      }
    }
    if (field.fields !== undefined && same.fields !== undefined) {
      merged[index] = { ...same, fields: mergeFields(field.fields, same.fields, dropped, where) }
    }
  }
  return merged
}

function asRange(versions: readonly number[]): string {
  const [low, high] = [versions[0], versions.at(-1)]
  return low === high ? `${low}` : `${low}-${high}`
}

function mergeMessage(name: string, older: Spec, newer: Spec): MessageSchema {
  const [oldest, old] = parseRange(older.validVersions)
  const [low, high] = parseRange(newer.validVersions)
  if (older.flexibleVersions !== newer.flexibleVersions || oldest > low || old < low - 1)
    throw new Error(`${name} differs`)
  const dropped = Array.from({ length: low - oldest }, (_, i) => oldest + i)
  return {
    validVersions: asRange([oldest, high]),
    flexibleVersions: newer.flexibleVersions,
    fields: mergeFields(condense(older), condense(newer), dropped, name),
  }
}

/** JSON with one line for each field. */
function format(value: unknown, indent = ''): string {
  const inner = `${indent}  `
  if (Array.isArray(value)) return `[\n${value.map((item) => inner + format(item, inner)).join(',\n')}\n${indent}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const oneLine = 'type' in value
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${format(item, oneLine ? indent : inner)}`,
  )
  return oneLine ? `{ ${entries.join(', ')} }` : `{\n${inner}${entries.join(`,\n${inner}`)}\n${indent}}`
}

const [olderFolder, newerFolder] = process.argv.slice(2)
if (olderFolder === undefined || newerFolder === undefined)
  throw new Error('tsx make.ts <older messages> <newer messages>')
for (const name of APIS) {
  const merge = (half: string): MessageSchema =>
    mergeMessage(`${name}${half}`, readSpec(olderFolder, `${name}${half}`), readSpec(newerFolder, `${name}${half}`))
  const { apiKey } = readSpec(newerFolder, `${name}Request`)
  const schema: ApiSchema = { apiKey, name, request: merge('Request'), response: merge('Response') }
  writeFileSync(new URL(`${name}.json`, import.meta.url), `${format(schema)}\n`)
}
