import { CorruptRecordsError, InvalidConfigError } from '../errors.js'
import { shown } from '../wording/shown.js'
import { gzipCodec } from './gzip.js'
import { lz4Codec } from './lz4.js'
import { snappyCodec } from './snappy.js'
import { zstdCodec } from './zstd.js'

export interface CompressOptions {
  /** Of the records: 0, 1 or 2. lz4 needs to know it. */
  readonly magic: number
  readonly level?: number | undefined
}

export interface DecompressOptions {
  readonly magic: number
  /** What would become larger than this is refused. */
  readonly maxOutputBytes: number
}

/** Compresses the records of a batch as one block. Users can bring their own, which are given bytes to keep. */
export interface Codec {
  readonly name: string
  /** What a batch's attributes call it: 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly id: number
  /** The lowest and the highest level; undefined where it has none. */
  readonly levels?: readonly [lowest: number, highest: number] | undefined
  /**
   * A small input is compressed in place, a large one off the event loop if that can be; it must not be changed until
   * the promise settles.
   */
  compress(input: Uint8Array, options: CompressOptions): Uint8Array | Promise<Uint8Array>
  /** Throws {@link CorruptRecordsError} where the bytes are not valid or grow beyond the bound. */
  decompress(input: Uint8Array, options: DecompressOptions): Buffer
}

const BUILT_IN: readonly { name: string; id: number; make: () => Codec }[] = [
  { name: 'gzip', id: 1, make: () => gzipCodec() },
  { name: 'snappy', id: 2, make: () => snappyCodec() },
  { name: 'lz4', id: 3, make: () => lz4Codec() },
  { name: 'zstd', id: 4, make: () => zstdCodec() },
]

/** The attributes have three bits for a codec's id. */
const HIGHEST_ID = 7

/**
 * The codecs that one producer or broker knows. What is built in is made on its first use, so that a codec nobody asks
 * for loads nothing. A codec of the user's own goes before what is built in, by its name and by its id.
 */
export class Codecs {
  private readonly byName = new Map<string, Codec>()
  private readonly byId = new Map<number, Codec>()
  private readonly own = new Set<Codec>()

  constructor(own: readonly Codec[] = []) {
    for (const codec of own) {
      const { name, id, levels } = codec
      if (name === '' || name === 'none') throw new InvalidConfigError(`a codec can't have the name ${shown(name)}`)
      if (!Number.isInteger(id) || id < 1 || id > HIGHEST_ID) {
        throw new InvalidConfigError(`codec ${shown(name)} has the id ${shown(id)}, possible are 1 to ${HIGHEST_ID}`)
      }
      const builtIn = BUILT_IN.find((row) => row.name === name)
      if (builtIn !== undefined && builtIn.id !== id) {
        throw new InvalidConfigError(`codec ${shown(name)} has the id ${id}, brokers know it as ${builtIn.id}`)
      }
      if (this.byName.has(name) || this.byId.has(id))
        throw new InvalidConfigError(`codec ${shown(name)} with the id ${id} is given twice`)
      if (levels !== undefined && !isRange(levels)) {
        throw new InvalidConfigError(
          `codec ${shown(name)} has levels that are ${shown(levels)}, possible are a list of the lowest and the highest`,
        )
      }
      const guarded = withOwnInput(codec)
      this.byName.set(name, guarded)
      this.byId.set(id, guarded)
      this.own.add(guarded)
    }
  }

  /** Whether it is one of the user's. */
  isOwn(codec: Codec): boolean {
    return this.own.has(codec)
  }

  /** Throws {@link InvalidConfigError} for an unknown name, a level it does not have, or what this Node can't run. */
  get(name: string, level?: number): Codec {
    const codec = this.byName.get(name) ?? this.make(BUILT_IN.find((row) => row.name === name))
    if (codec === undefined) {
      const names = new Set([...this.byName.keys(), ...BUILT_IN.map((row) => row.name)])
      throw new InvalidConfigError(`there is no codec ${shown(name)}, known are ${[...names].join(', ')}`)
    }
    if (level !== undefined) checkLevel(codec, level)
    return codec
  }

  /** Why a codec that is built in can't run here, such as zstd on an older Node; undefined where it can. */
  whyNot(name: string): string | undefined {
    if (!BUILT_IN.some((row) => row.name === name)) return undefined
    try {
      this.get(name)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  /** Undoes the codec that a batch's attributes name. */
  decompress(id: number, input: Uint8Array, options: DecompressOptions): Buffer {
    const codec = this.byId.get(id) ?? this.makeReader(id)
    if (codec === undefined) throw new CorruptRecordsError(`records compressed with codec ${id}, which is not known`)
    return codec.decompress(input, options)
  }

  /** Whoever reads can't help what was sent: a codec that this Node can't run is no error of configuration here. */
  private makeReader(id: number): Codec | undefined {
    try {
      return this.make(BUILT_IN.find((row) => row.id === id))
    } catch (error) {
      throw new CorruptRecordsError(`records compressed with codec ${id}, which can't be read here`, { cause: error })
    }
  }

  private make(row: (typeof BUILT_IN)[number] | undefined): Codec | undefined {
    if (row === undefined) return undefined
    const codec = row.make()
    if (!this.byName.has(row.name)) this.byName.set(row.name, codec)
    if (!this.byId.has(row.id)) this.byId.set(row.id, codec)
    return codec
  }
}

/**
 * A codec of the user's own may write to what it is given, or hand it to a worker, and its memory is gone then; the batch has
 * to be there all the same, to go as it is or once more. Apart from the memory that Node shares among small buffers.
 */
function withOwnInput(codec: Codec): Codec {
  const { name, id, levels } = codec
  return {
    name,
    id,
    levels,
    compress(input, options) {
      const copy = Buffer.allocUnsafeSlow(input.length)
      copy.set(input)
      return codec.compress(copy, options)
    },
    decompress: (input, options) => codec.decompress(input, options),
  }
}

function isRange(levels: unknown): boolean {
  return Array.isArray(levels) && levels.length === 2 && levels.every((level) => typeof level === 'number')
}

function checkLevel({ name, levels }: Codec, level: number): void {
  if (levels === undefined) throw new InvalidConfigError(`codec ${shown(name)} has no levels`)
  const [lowest, highest] = levels
  if (Number.isInteger(level) && level >= lowest && level <= highest) return
  throw new InvalidConfigError(`codec ${shown(name)} has the levels ${lowest} to ${highest}, not ${level}`)
}
