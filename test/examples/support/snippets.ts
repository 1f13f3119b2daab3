import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** What the snippets call this package, and where it is here. */
export const PACKAGE: Readonly<Record<string, string>> = {
  'kafka-producer': join(ROOT, 'src/index.ts'),
  'kafka-producer/prometheus': join(ROOT, 'src/prometheus/index.ts'),
  'kafka-producer/testing': join(ROOT, 'src/testing/index.ts'),
  'kafka-producer/opentelemetry': join(ROOT, 'src/opentelemetry/index.ts'),
}

/** The address that snippets give where a reader would put that of their own brokers. */
export const READERS_BROKER = 'localhost:9092'

export interface Snippet {
  /** Where it stands, for messages: `README.md:31`. */
  readonly place: string
  readonly code: string
}

/** The documents whose snippets must run. */
export function documents(): string[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...docs.map((name) => `docs/${name}`)]
}

/** All blocks of TypeScript in a document. */
export function snippetsOf(document: string): Snippet[] {
  const text = readFileSync(join(ROOT, document), 'utf8')
  return [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => ({
    place: `${document}:${text.slice(0, match.index).split('\n').length + 1}`,
    code: match[1] as string,
  }))
}

/** What a snippet says that it prints: the rest of each comment that begins with `prints`. */
export function promisedOutput({ code }: Snippet): string[] {
  return [...code.matchAll(/\/\/ prints (.*)$/gm)].map((match) => (match[1] as string).trim())
}
