import { once } from 'node:events'
import { createWriteStream, existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { CorpusName } from './cases.js'
import { WORK } from './paths.js'
import { mulberry32 } from './random.js'

/** The file of a corpus, made where it is not there yet: lines, the same each time, of about 1,000 bytes. */
export async function corpusFile(name: CorpusName, bytes: number): Promise<string> {
  const file = join(WORK, `${name}-${bytes}.txt`)
  if (existsSync(file)) return file
  const random = mulberry32(20_240_607)
  const out = createWriteStream(`${file}.unfinished`)
  for (let written = 0; written < bytes;) {
    const line = name === 'json' ? Buffer.from(jsonLine(random)) : randomLine(random)
    const block = Buffer.concat([line, Buffer.from('\n')])
    written += block.length
    if (!out.write(block)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
  // Only a finished file gets the name that is looked for.
  renameSync(`${file}.unfinished`, file)
  return file
}

const LINE_BYTES = 1_000
const WORDS =
  'account amount approved available balance cancelled changed city client code confirmed country created credit currency customer delivered delivery discount email error failed first guest invoice item language last limit market method mobile name number offer order paid partner payment pending phone price product quantity refund region request returned review search session shipped stock store street total transfer user value visit web'.split(
    ' ',
  )
const PLACES = [
  'Amsterdam',
  'Berlin',
  'Chennai',
  'Dakar',
  'Edinburgh',
  'Fukuoka',
  'Göteborg',
  'Hanoi',
  'Izmir',
  'Jakarta',
]

/** An event as services write them: the same names each time, numbers and ids that are new, some text. */
function jsonLine(random: () => number): string {
  const below = (limit: number) => Math.floor(random() * limit)
  const hex = (digits: number) => Array.from({ length: digits }, () => below(16).toString(16)).join('')
  const word = () => WORDS[below(WORDS.length)] as string
  const event = {
    id: `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    time: new Date(1_700_000_000_000 + below(31_536_000_000)).toISOString(),
    type: `${word()}.${word()}`,
    version: 1 + below(4),
    source: { service: `${word()}-service`, host: `node-${below(64)}.example.com`, trace: hex(32) },
    customer: {
      id: below(5_000_000),
      name: `${word()} ${word()}`,
      city: PLACES[below(PLACES.length)],
      verified: below(2) === 1,
    },
    items: Array.from({ length: 1 + below(4) }, () => ({
      sku: `SKU-${below(100_000)}`,
      quantity: 1 + below(9),
      price: below(100_000) / 100,
      currency: 'EUR',
    })),
    text: '',
  }
  const words: string[] = []
  for (
    let left = LINE_BYTES - Buffer.byteLength(JSON.stringify(event));
    left > 0;
    left -= (words.at(-1) as string).length + 1
  )
    words.push(word())
  return JSON.stringify({ ...event, text: words.join(' ') })
}

/** Any bytes but a newline. */
function randomLine(random: () => number): Buffer {
  const line = Buffer.allocUnsafe(LINE_BYTES)
  for (let i = 0; i < LINE_BYTES; i++) {
    const byte = Math.floor(random() * 255)
    line[i] = byte < 10 ? byte : byte + 1
  }
  return line
}
