import { type FieldSchema, type MessageSchema, inRange } from '../golden/schemas/schema.js'

/**
 * A second, slow codec for Kafka's messages, driven by the schemas alone. It shares nothing with `src/`: where the two
 * agree on every byte, neither has misread the specification by itself.
 *
 * int64 is a bigint, uuid and bytes are Buffers, fields have Kafka's names with a small first letter.
 */
export type Value = null | boolean | number | bigint | string | Buffer | Value[] | Message
export interface Message {
  [field: string]: Value
}

interface Shape {
  version: number
  flexible: boolean
}

export interface EncodeOptions {
  /** Adds, to each structure of a flexible version, a tagged field that nobody knows. */
  unknownTags?: boolean
}

const UNKNOWN_TAG = 1000

export function fieldName(field: FieldSchema): string {
  return field.name.charAt(0).toLowerCase() + field.name.slice(1)
}

/** The fields that stand in a message of this version, tagged ones included. */
export function fieldsOf(fields: readonly FieldSchema[], version: number): FieldSchema[] {
  return fields.filter(({ versions }) => inRange(versions, version))
}

function isTagged(field: FieldSchema, version: number): boolean {
  return inRange(field.taggedVersions, version)
}

export function isArray(field: FieldSchema): boolean {
  return field.type.startsWith('[]')
}

/** What the elements of an array field are. */
export function elementOf(field: FieldSchema): FieldSchema {
  return { ...field, type: field.type.slice(2) }
}

export function defaultOf(field: FieldSchema): Value {
  if (field.default === 'null') return null
  if (isArray(field)) return []
  if (field.fields !== undefined) return defaultsOf(field.fields)
  switch (field.type) {
    case 'bool':
      return field.default === 'true'
    case 'string':
      return field.default ?? ''
    case 'uuid':
      return Buffer.alloc(16)
    case 'bytes':
      return Buffer.alloc(0)
    case 'records':
      return null
    case 'int64':
      return BigInt(field.default ?? 0)
    default:
      return Number(field.default ?? 0)
  }
}

function defaultsOf(fields: readonly FieldSchema[]): Message {
  return Object.fromEntries(fields.map((field) => [fieldName(field), defaultOf(field)]))
}

/** The message as it reads where the fields that this version lacks have Kafka's defaults. */
export function withDefaults(fields: readonly FieldSchema[], version: number, message: Message): Message {
  return Object.fromEntries(
    fields.map((field) => {
      const value = message[fieldName(field)] as Value
      return [fieldName(field), inRange(field.versions, version) ? fill(field, version, value) : defaultOf(field)]
    }),
  )
}

function fill(field: FieldSchema, version: number, value: Value): Value {
  if (Array.isArray(value)) return value.map((item) => fill(elementOf(field), version, item))
  if (field.fields === undefined || value === null) return value
  return withDefaults(field.fields, version, value as Message)
}

function unsignedVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return Buffer.from([...bytes, rest])
}

function int(bits: 8 | 16 | 32 | 64, value: number | bigint): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigInt64BE(BigInt(value))
  return buffer.subarray(8 - bits / 8)
}

export function encodeMessage(
  schema: MessageSchema,
  version: number,
  message: Message,
  options: EncodeOptions = {},
): Buffer {
  const shape = { version, flexible: inRange(schema.flexibleVersions, version) }
  return encodeStructure(shape, schema.fields, message, options)
}

function encodeStructure(
  shape: Shape,
  fields: readonly FieldSchema[],
  message: Message,
  options: EncodeOptions,
): Buffer {
  const parts: Buffer[] = []
  const tagged: [tag: number, content: Buffer][] = []
  for (const field of fieldsOf(fields, shape.version)) {
    const value = message[fieldName(field)] as Value
    const content = encodeValue(shape, field, value, options)
    if (!isTagged(field, shape.version)) parts.push(content)
    else if (!isDefault(shape, field, value)) tagged.push([field.tag as number, content])
  }
  if (shape.flexible) {
    if (options.unknownTags === true) tagged.push([UNKNOWN_TAG, Buffer.from('unknown')])
    parts.push(unsignedVarint(tagged.length))
    for (const [tag, content] of tagged.sort(([a], [b]) => a - b)) {
      parts.push(unsignedVarint(tag), unsignedVarint(content.length), content)
    }
  }
  return Buffer.concat(parts)
}

function isDefault(shape: Shape, field: FieldSchema, value: Value): boolean {
  const unset = defaultOf(field)
  if (value === null || unset === null) return value === unset
  return encodeValue(shape, field, value, {}).equals(encodeValue(shape, field, unset, {}))
}

function encodeValue(shape: Shape, field: FieldSchema, value: Value, options: EncodeOptions): Buffer {
  const { flexible } = shape
  if (isArray(field)) {
    const items = value as Value[] | null
    const count = items === null ? -1 : items.length
    const head = flexible ? unsignedVarint(count + 1) : int(32, count)
    return Buffer.concat([head, ...(items ?? []).map((item) => encodeValue(shape, elementOf(field), item, options))])
  }
  if (field.fields !== undefined) return encodeStructure(shape, field.fields, value as Message, options)
  switch (field.type) {
    case 'bool':
      return int(8, value === true ? 1 : 0)
    case 'int8':
      return int(8, value as number)
    case 'int16':
      return int(16, value as number)
    case 'int32':
      return int(32, value as number)
    case 'int64':
      return int(64, value as bigint)
    case 'uuid':
      return value as Buffer
    case 'string': {
      const text = value === null ? null : Buffer.from(value as string)
      const length = text?.length ?? -1
      return Buffer.concat([flexible ? unsignedVarint(length + 1) : int(16, length), text ?? Buffer.alloc(0)])
    }
    case 'bytes':
    case 'records': {
      const bytes = value as Buffer | null
      const length = bytes?.length ?? -1
      return Buffer.concat([flexible ? unsignedVarint(length + 1) : int(32, length), bytes ?? Buffer.alloc(0)])
    }
    default:
      throw new Error(`no type ${field.type}`)
  }
}
