/**
 * Reads the text of a Java properties file: `name=value`, `name: value` or `name value` a line; `#` and `!` begin
 * comments, a backslash at the end continues the line, `\uXXXX`, `\t` and the like are escapes. A name given twice has
 * its last value.
 */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  // Editors of Windows begin a file with a byte order mark.
  for (const line of logicalLines(text.replace(/^\uFEFF/, ''))) {
    const separator = /^((?:\\.|[^\\\s=:])*)[ \t\f]*(?:[=:][ \t\f]*)?(.*)$/s.exec(line)
    if (separator !== null) properties.set(unescape(separator[1] ?? ''), unescape(separator[2] ?? ''))
  }
  return properties
}

/** Lines with their continuations, without comments and indentation. */
function logicalLines(text: string): string[] {
  const lines: string[] = []
  let continued: string | undefined
  for (const natural of text.split(/\r\n|[\r\n]/)) {
    const line = natural.replace(/^[ \t\f]+/, '')
    if (continued === undefined && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    const whole = (continued ?? '') + line
    // An odd number of backslashes: the last one is no escape's end.
    if (/(?:^|[^\\])(?:\\\\)*\\$/.test(whole)) {
      continued = whole.slice(0, -1)
    } else {
      lines.push(whole)
      continued = undefined
    }
  }
  if (continued !== undefined) lines.push(continued)
  return lines
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|(.))/gs, (_, code: string | undefined, letter: string | undefined) =>
    code === undefined ? (ESCAPES[letter ?? ''] ?? letter ?? '') : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
