const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----/gs
/** What OpenSSL reads: the label and the end on lines of their own, and nothing but base64 or a header on the others. */
const WELL_FORMED = /^[ \t]*\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n|(?:Proc-Type|DEK-Info): [^\r\n]*\r?\n|\r?\n)+$/
/** The headers of keys that are encrypted in the old way. */
const HEADERS = /^\s*(Proc-Type:\s*[^\s]+)\s+(DEK-Info:\s*[^\s]+)\s+/

/**
 * PEM with its line ends, which get lost where it is put into one line of a properties file: Java's parser takes any
 * white space instead. Text that is well-formed stays as it is; so does text without PEM, for whoever checks it.
 */
export function withLineEnds(text: string): string {
  const whole = text.replaceAll('\\n', '\n')
  const blocks = [...whole.matchAll(BLOCK)]
  const isWellFormed = blocks.every(({ index, 2: body }) => {
    return WELL_FORMED.test(body ?? '') && (index === 0 || whole[index - 1] === '\n')
  })
  // Those that have no end must not be left out unnoticed.
  if (isWellFormed || blocks.length < (whole.match(/-----BEGIN /g) ?? []).length) return whole
  return blocks.map(([, label = '', body = '']) => blockOf(label, body)).join('')
}

function blockOf(label: string, body: string): string {
  const headers = HEADERS.exec(body)
  const [all = '', type = '', info = ''] = headers ?? []
  const base64 = body.slice(all.length).replace(/\s+/g, '')
  const lines = base64.match(/.{1,64}/g) ?? []
  return [
    `-----BEGIN ${label}-----`,
    ...(headers === null ? [] : [type, info, '']),
    ...lines,
    `-----END ${label}-----\n`,
  ].join('\n')
}
