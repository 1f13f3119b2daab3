import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'

/** What happens to the cluster and on its connections, with the time in milliseconds since 1970: `1767225600000 fault begins: ...`. */
export class EventLog {
  private file: WriteStream | undefined

  writeTo(path: string): void {
    this.file = createWriteStream(path)
  }

  write(line: string): void {
    this.file?.write(`${Date.now()} ${line}\n`)
  }

  async close(): Promise<void> {
    const { file } = this
    this.file = undefined
    if (file === undefined) return
    file.end()
    await once(file, 'close')
  }
}
