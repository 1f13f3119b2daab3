import type { IncomingMessage, RequestOptions } from 'node:http'
import type { SslOptions } from '../streams/tls.js'

const MAX_ANSWER_BYTES = 1024 * 1024

export interface FormAnswer {
  readonly status: number
  readonly text: string
}

export interface FormTerms {
  readonly headers: Readonly<Record<string, string>>
  /** The authorities that are trusted instead of Node's. */
  readonly ca: SslOptions['ca']
  /** Ends it; it rejects with the signal's reason. */
  readonly signal: AbortSignal
}

/**
 * Posts a form, on a connection of its own: follows no redirect, takes no larger answer than a token needs, and checks
 * the certificate whatever the environment of the process says.
 */
export function postForm(url: URL, form: URLSearchParams, { headers, ca, signal }: FormTerms): Promise<FormAnswer> {
  const body = form.toString()
  const options: RequestOptions = {
    method: 'POST',
    // None that keeps connections, or TLS sessions that were begun with other authorities.
    agent: false,
    headers: {
      ...headers,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    },
  }
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:'
        ? process
            .getBuiltinModule('node:https')
            .request(url, { ...options, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) })
        : process.getBuiltinModule('node:http').request(url, options)
    const onAbort = () => request.destroy(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    request.on('close', () => signal.removeEventListener('abort', onAbort))
    request.on('error', (error: Error & { rawPacket?: unknown }) => {
      // An answer that is no HTTP, as it came: a token may be in it, and loggers print what errors have.
      delete error.rawPacket
      reject(error)
    })
    request.on('response', (response) => {
      readBounded(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject)
    })
    if (signal.aborted) onAbort()
    request.end(body)
  })
}

async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop destroys the connection.
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
